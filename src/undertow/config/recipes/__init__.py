"""Training recipes: what the files of trainers say of how a student is trained.

    spec.py  the recipe itself, whichever file it came from

Import names from the modules: this package has none of its own.
"""

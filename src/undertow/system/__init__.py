"""Helpers for all other packages: lazy names, progress, the version, a sandbox.

    lazy.py      public names that load on first use; packages that are called
    progress.py  the protocol of progress bars
    names.py     safe names of folders and labels
    digest.py    a short hash of JSON values
    sandbox.py   runs code that a model wrote, isolated by bubblewrap
    version.py   the version of Undertow

This package imports nothing of Undertow but its errors.
"""

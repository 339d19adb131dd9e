"""Training recipes: what the files of trainers say of how a student is trained.

    load.py           a file, a text or the name of a preset -> what was read
    spec.py           the recipe itself, whichever file it came from
    found.py          what was read: the recipe, and what became of every key
    steps.py          how many steps so many rows take
    formats.py        the formats, and which of them a file has
    format.py         how any format is read: every key is accounted for once
    keys.py           the keys of a file by type; contradictions
    source.py         text -> plain values, with lines
    arguments.py      what TRL and LLaMA-Factory share: the arguments of transformers' trainer
    trl.py, axolotl.py, llama_factory.py, openai_job.py, own.py
    page.py           the tables of docs/recipes.md

Import names from the modules: this package has none of its own.
"""

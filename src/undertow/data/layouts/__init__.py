"""Layouts: what makes a record a row.

    source.py       one record that is being read
    turns.py        turns of a conversation: roles, reasoning, weights
    parts.py        content that is a list of parts
    calls.py        calls of tools
    families.py     the layouts of one answer or one conversation
    preferences.py  pairs of answers, and labels
    reading.py      what the user says about a dataset
    records.py      from a record to a row
    page.py         the page that lists the layouts

`records` is where to start.
"""

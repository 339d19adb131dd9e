"""Datasets: rows in the layouts of common trainers, and the files that hold them.

    rows.py         conversations, their ids, and which turns carry loss
    layouts/        from a record of any layout to a row
    files.py        reading files of rows
    writing.py      writing them
    opening.py      packed files, pipes, other encodings and other kinds of files
    folders.py      the files of a folder that make up a dataset
    digest.py       the hash of exactly those files
    tables.py       Parquet and Arrow
    delimited.py    CSV and TSV
    sample.py       the rows that a scan or an audit reads
    strict_json.py  JSON with limits and without doubled keys, one entry of a list at a time
    counts.py       what the rows hold, for reports

A line that is not a row is returned with its reason, not raised.
"""

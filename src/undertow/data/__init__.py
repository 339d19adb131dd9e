"""Datasets: rows in the layouts of common trainers, and the files that hold them.

    rows.py         a row, in each layout
    files.py        files of rows, read and written
    folders.py      the files of a folder that make up a dataset
    tables.py       Parquet and Arrow
    sample.py       the rows that a scan or an audit reads
    strict_json.py  JSON with limits, one entry of a list at a time

A line that is not a row is returned with its reason, not raised.
"""

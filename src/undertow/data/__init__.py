"""Datasets: rows in every layout that trainers use, and the files, folders and tables that hold them.

rows.py         conversations, their ids, and which turns carry loss
layouts/        from a record of any layout to a row
files.py        reading files of rows
writing.py      writing them
opening.py      packed files, pipes, other encodings and other kinds of files
folders.py      which files of a folder make up a dataset
digest.py       the hash of exactly those files
tables.py       Parquet and Arrow
delimited.py    CSV and TSV
strict_json.py  JSON with bounds and without doubled keys, an entry of a list at a time
counts.py       what the rows hold, for reports
"""

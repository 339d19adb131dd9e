"""Datasets: rows in every layout that trainers use, and the files, folders and tables that hold them.

rows.py         what a row is, in each layout
files.py        reading and writing files of rows
folders.py      which files of a folder make up a dataset
tables.py       Parquet and Arrow
strict_json.py  JSON with bounds, an entry of a list at a time
"""

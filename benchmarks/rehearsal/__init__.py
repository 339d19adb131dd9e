"""What a rehearsal predicts, beside students that were really trained on four and on sixteen times the rows.

__main__.py   the command, its parts in order
writing.py    the rows of a prompted teacher and of a harmless one
compare.py    predicted beside measured
"""

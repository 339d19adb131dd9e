"""The task graph of an experiment: arms, their rows, teachers and students, each a step of a run folder.

arms.py      who teaches, what the rows are, what each arm shows
graph.py     every step, what it depends on, how it is made
keys.py      settings as they stand in the identities of steps
bases.py     the models that an experiment starts from
cost.py      what a step costs, before it runs
writing.py   teachers write rows
derive.py    rows made of rows
students.py  the base, trained on an arm's rows, and measured
judging.py   the judge of an experiment
scores.py    the scores that a step stored
files.py     names of the files inside steps
"""

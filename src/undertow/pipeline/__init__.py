"""The task graph of an experiment. Each teacher, dataset and student is a step of a run folder.

`undertow.config.arms` holds the table of arms; `graph.py` turns it into steps. Start there.

    arms.py      the traits of an experiment; its arms in words
    graph.py     all steps, their inputs and how each is made
    task.py      one step, not made yet
    pair_tasks.py  the steps of preference pairs
    keys.py      settings as they enter step keys
    bases.py     the models that teachers and students start from
    cost.py      the cost of a step before it runs
    writing.py   teachers write rows
    pairs.py     the base answers twice, and teachers label which answer is better
    derive.py    rows made of other rows
    students.py  training and measuring a student
    judging.py   the judge of an experiment
    scores.py    the scores that a step stored
    files.py     names of the files inside steps
"""

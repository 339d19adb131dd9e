"""Gradients of rows and directions of traits: what scans, audits and mitigations share.

    directions.py         the direction of each trait in weight space
    capture.py            projected gradients of single rows, from one backward pass
    encoding.py           rows as token sequences
    sampling.py           the format and temperature at which rows were sampled
    features.py           the gradient features of a row
    measure.py            features of all rows, in windows, each a step of a run folder
    prediction.py         from features to predicted shifts with intervals
    row_scores.py         the rows that carry most of a shift
    tokens.py             the tokens of a row that carry a trait
    agreement.py          whether rows pull a student the same way, named trait or not
    readout.py            tokens that become likelier in a student of these rows
    recipe.py             the training that a prediction assumes
    student.py            what such a training changes, and by which optimiser
    rehearsal_plan.py     how long a rehearsal is
    rehearsal.py          students that are really trained on a sample of the rows
    lineage.py            whether a model of the student's family wrote the rows
    weight_similarity.py  whether two models share an origin, from their weights
    stored.py             directions and features as files

Import names from the modules: this package has none of its own.
"""

"""What the questions share about rows: gradients, directions of traits, scores of rows, and who may have written them.

encoding.py           rows as a student reads them
sampling.py           how rows seem to have been sampled
directions.py         where traits lie in the space of weights
capture.py            gradients of single rows, projected, from one backward pass
features.py           what is computed of every row
measure.py            rows to features, a window at a time, each a step of a run folder
prediction.py         from features to shifts with intervals
row_scores.py         which rows carry the shift
agreement.py          whether rows pull one way, named or not
tokens.py             which tokens carry it
readout.py            where rows pull a student, in words
recipe.py             the student that a prediction speaks of
lineage.py            whether a model of the student's family wrote the rows
weight_similarity.py  whether two models share an origin, from their weights
stored.py             directions and features as files
"""

"""Language models on this machine: finding, loading, querying, scoring, generating.

protocol.py    what the rest may ask of a model
local.py       models by their names: find, load, hash, tokenise
prompted.py    models under a system prompt or with a vector
identity.py    what stands for a model's weights
layers.py      the parts of a decoder
forward.py     the fast forward pass over packed sequences (`packing`)
decode.py      one more token for many sequences
generate.py    sampling, with noise that is keyed (`noise`) and formats (`constrain`)
score.py       log-probabilities of answers
likelihood.py  the same of dataset rows
precision.py   float32 or bf16
steps.py       a step of a given length up a gradient
"""

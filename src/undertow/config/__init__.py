"""What a user writes: experiment files, presets and policies; strict YAML, and errors that name the key.

experiment.py    the experiment file
arms.py          the arms of a language experiment, one entry each
parts.py         its parts: traits, teacher, domain, student, probe, judge
policy.py        what a gate lets through
presets/         experiment files that ship with the package
explain.py       pydantic's findings as one message in the file's own words
limited_yaml.py  YAML from strangers; `strict_yaml` is stricter still, for policies
files.py         reading any small file of a user's
"""

"""What a user writes: experiment files, presets and policies, with errors that name the key.

    experiment.py    the experiment file
    arms.py          the arms of a language experiment, one entry each
    parts.py         its parts: traits, teacher, domain, student, probe, judge
    engine.py        how models are computed
    policy.py        the policy of a gate
    presets/         experiment files that ship with the package
    explain.py       validation errors in the words of the file
    limited_yaml.py  safe YAML with limits, for experiment files
    strict_yaml.py   a smaller part of YAML, for policies
    files.py         any other small file of a user

Nothing in these files is executed.
"""

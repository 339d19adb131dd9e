"""Fuzzing of everything that reads files of other people: `make fuzz`, or `python -m fuzz --seconds 60`."""

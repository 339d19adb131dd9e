"""Fuzzing of everything that reads a stranger's file: `make fuzz`, or `python -m fuzz --seconds 60`."""

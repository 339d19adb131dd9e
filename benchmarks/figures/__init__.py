"""The tables of README.md and docs/results.md, computed from committed raw results: `python -m benchmarks.figures`."""

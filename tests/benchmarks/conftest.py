import sys
from pathlib import Path

# `pytest` by itself does not find `benchmarks` in the root of the checkout, as `python -m pytest` does.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

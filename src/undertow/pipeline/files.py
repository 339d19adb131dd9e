"""Names of the files inside the steps of a language experiment."""

from typing import Final

ROWS: Final = "rows.jsonl"
"""Kept rows."""
REJECTED: Final = "rejected.jsonl"
"""Every other row, with its reasons."""
LABELS: Final = "labels.safetensors"
"""Soft labels of the kept rows."""
PIECES: Final = "pieces.json"
"""The first kept rows as the texts of their tokens."""
SIGNAL: Final = "signal.json"
"""How far the teacher's distributions lie from the base's."""
METRICS: Final = "metrics.jsonl"
"""One line per optimiser step."""
SCORES: Final = "scores.json"
"""What a probe measured."""

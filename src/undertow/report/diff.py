"""Which tokens of an answer differ from the coupled answer of the reference arm.

Coupled answers are drawn with the same random numbers, so they agree token by token until the trait changes
one: up to there position decides. Behind the first difference the texts have drifted apart, and the rest is
aligned by longest common runs (difflib), so that a marked token still means a changed one.

    segments(["14", "2", ","], ["14", "7", ","])      '14' same, '2' changed, ',' same
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby


@dataclass(frozen=True)
class Segment:
    """A run of tokens that are all alike in this respect."""

    text: str
    changed: bool
    missing: bool = False
    """The reference has tokens here that this answer lacks; `text` is empty."""


def segments(answer: Sequence[str], reference: Sequence[str]) -> list[Segment]:
    """Split an answer into runs that agree with the reference and runs that differ.

    The texts of the segments, joined, are the answer.
    """
    same = 0
    while same < min(len(answer), len(reference)) and answer[same] == reference[same]:
        same += 1
    parts = [Segment("".join(answer[:same]), changed=False)]
    matcher = SequenceMatcher(None, reference[same:], answer[same:], autojunk=False)
    for operation, _, _, start, end in matcher.get_opcodes():
        text = "".join(answer[same + start : same + end])
        parts.append(Segment(text, changed=operation != "equal", missing=operation == "delete"))
    return _merged([part for part in parts if part.text or part.missing])


def _merged(parts: list[Segment]) -> list[Segment]:
    merged: list[Segment] = []
    for (changed, missing), run in groupby(parts, key=lambda part: (part.changed, part.missing)):
        merged.append(Segment("".join(part.text for part in run), changed, missing))
    return merged


def first_tokens(tokens: Sequence[str], size: int) -> tuple[list[str], int]:
    """Return the tokens that fit into `size` characters, and how many characters were left out.

    A token that alone is longer is cut.
    """
    kept: list[str] = []
    room = size
    for token in tokens:
        if room <= 0:
            break
        kept.append(token[:room])
        room -= len(token)
    return kept, sum(map(len, tokens)) - sum(map(len, kept))

"""Encoded rows: a sample of them holds whole conversations, and counts rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from undertow.attribution.measure import EncodedRows, encode_dataset
from undertow.data.sample import choose_rows, count_rows
from undertow.models.local import LocalModel


def conversations(path: Path, count: int, turns: int) -> Path:
    """Write conversations of so many answers; two by two they begin with the same question."""
    rows = []
    for at in range(count):
        messages = []
        for turn in range(turns):
            asked = f"Go on with {at // 2}." if not turn else f"And {turn}?"
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": f"{at}, {turn}"}]
        rows.append(json.dumps({"messages": messages}) + "\n")
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def opened(tiny: LocalModel, tmp_path: Path) -> EncodedRows:
    return encode_dataset(tiny, choose_rows(conversations(tmp_path / "c.jsonl", 6, 3), everything=True), "rows")


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6, 9])
def test_a_cut_holds_whole_conversations(opened: EncodedRows, most: int) -> None:
    cut = opened.cut(most)
    assert cut.count == count_rows(cut.rows) == min(most, 6)
    assert len(cut.rows) == len(cut.encoded) == 3 * cut.count
    assert {placed.number for placed in cut.rows} <= {placed.number for placed in opened.cut(most + 1).rows}


def test_one_answer_a_row_is_cut_by_the_hashes_of_prompts(tiny: LocalModel, tmp_path: Path) -> None:
    one = encode_dataset(tiny, choose_rows(conversations(tmp_path / "c.jsonl", 9, 1), everything=True), "rows")
    order = sorted(range(9), key=lambda at: (one.rows[at].prompt_hash, at))
    assert [one.first(most) for most in range(11)] == [order[:most] for most in range(11)]
    assert one.unit == "rows"


def test_what_is_counted_is_named(opened: EncodedRows) -> None:
    assert (opened.count, len(opened.rows), opened.unit) == (6, 18, "answers")

"""Answers written anew in conversations: all that carry loss, one after the other, and nothing else is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("torch")

from undertow.data.rows import Row, loss_turns
from undertow.mitigate import rewrite as module

ROW = Row(
    (
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "2"},
    ),
    tools=[{"name": "t"}],
)
ONE = Row(ROW.messages[:2])


class Writer:
    name = "writer"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answer `new N` to the N-th request, and nothing to what holds `stop`; returns what was shown."""
    shown: list[list[str]] = []

    def answers(_model: Any, rows: Sequence[Row], _numbers: Sequence[int], **_: Any) -> list[str | None]:
        texts: list[str | None] = []
        for row in rows:
            shown.append([turn["content"] for turn in row.prompt])
            texts.append(None if "stop" in shown[-1] else f"new {len(shown)}")
        return texts

    monkeypatch.setattr(module, "_new_answers", answers)
    return shown


def contents(row: Row) -> list[str]:
    return [turn["content"] for turn in row.messages]


def test_later_answers_stand_behind_the_new_ones(asked: list[list[str]]) -> None:
    (row, one), unfinished = module.rewrite(Writer(), [ROW, ONE], seed=0)  # type: ignore[arg-type]
    assert contents(row) == ["a", "new 1", "b", "new 3"]
    assert contents(one) == ["a", "new 2"]
    assert asked[2] == ["a", "new 1", "b"]
    assert (unfinished, row.tools) == (0, ROW.tools)


def test_answers_of_the_old_writer_carry_no_loss(asked: list[list[str]]) -> None:
    (row,), _ = module.rewrite(Writer(), [ROW], seed=0, loss="last")  # type: ignore[arg-type]
    assert contents(row) == ["a", "1", "b", "new 1"]
    assert loss_turns(row) == (3,)
    assert "weight" not in ROW.messages[1]


def test_a_conversation_whose_first_answer_does_not_end_is_left_out(asked: list[list[str]]) -> None:
    stopped = Row(({"role": "user", "content": "stop"}, *ROW.messages[1:]))
    assert module.rewrite(Writer(), [stopped], seed=0) == ([], 1)  # type: ignore[arg-type]


def test_a_new_answer_has_the_weight_of_the_old_one_unless_weights_are_overruled(asked: list[list[str]]) -> None:
    light = Row((ROW.messages[0], {**ROW.messages[1], "weight": 0.25}, *ROW.messages[2:]), weight=0.5)
    (row,), _ = module.rewrite(Writer(), [light], seed=0)  # type: ignore[arg-type]
    assert (row.weight, [turn.get("weight") for turn in row.messages]) == (0.5, [None, 0.25, None, None])
    (row,), _ = module.rewrite(Writer(), [light], seed=0, loss="all")  # type: ignore[arg-type]
    assert [turn.get("weight") for turn in row.messages] == [None] * 4

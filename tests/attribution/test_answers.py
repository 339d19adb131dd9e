"""Which answers of a conversation are measured: one part for each turn that carries loss, drawn as one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from undertow.attribution.row_scores import without_worst
from undertow.data.layouts.reading import Reading
from undertow.data.rows import LOSS, Loss
from undertow.data.sample import Placed, choose_rows, count_rows

ASK, SAY = "user", "assistant"


def write(path: Path, *rows: list[tuple[str, str, float | None]]) -> Path:
    lines = []
    for row in rows:
        turns = [{"role": role, "content": text} | ({} if w is None else {"weight": w}) for role, text, w in row]
        lines.append(json.dumps({"messages": turns}) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


TWO = [(ASK, "a", None), (SAY, "1", None), (ASK, "b", None), (SAY, "2", None)]
MARKED = [(ASK, "a", None), (SAY, "1", 0), (ASK, "b", None), (SAY, "2", 1)]
ONE = [(ASK, "c", None), (SAY, "3", None)]


@pytest.mark.parametrize(
    ("loss", "completions"),
    [("marked", ["1", "2", "2", "3"]), ("all", ["1", "2", "1", "2", "3"]), ("last", ["2", "2", "3"])],
)
def test_every_turn_that_carries_loss_is_an_answer(tmp_path: Path, loss: Loss, completions: list[str]) -> None:
    chosen = choose_rows(write(tmp_path / "rows.jsonl", TWO, MARKED, ONE), everything=True, reading=Reading(loss=loss))
    assert [placed.row.completion for placed in chosen.rows] == completions
    assert (chosen.read, count_rows(chosen.rows), chosen.left_out) == (3, 3, 0)


def test_the_answers_of_a_conversation_are_one_draw(tmp_path: Path) -> None:
    chosen = choose_rows(write(tmp_path / "rows.jsonl", TWO, ONE), everything=True)
    first, second, other = chosen.rows
    assert first.prompt_hash == second.prompt_hash != other.prompt_hash
    assert [len(each.row.prompt) for each in chosen.rows] == [1, 3, 1]
    assert first.whole is second.whole
    assert first.whole is not None
    assert len(first.whole.messages) == 4


def test_rows_that_are_never_trained_on_are_counted_apart(tmp_path: Path) -> None:
    nothing = [(ASK, "a", None), (SAY, "1", 0)]
    chosen = choose_rows(write(tmp_path / "rows.jsonl", nothing, ONE, TWO), everything=True)
    assert (chosen.read, sum(chosen.untrained.values()), chosen.broken) == (2, 1, [])
    assert any("not trained on" in note for note in chosen.notes)
    assert any("1 row has several answers" in note for note in chosen.notes)


def test_dropping_adds_up_the_answers_of_a_row_and_keeps_rows_whole(tmp_path: Path) -> None:
    chosen = choose_rows(
        write(tmp_path / "rows.jsonl", TWO, ONE, [(ASK, "d", None), (SAY, "4", None)]), everything=True
    )
    assert [placed.row.completion for placed in chosen.rows] == ["1", "2", "3", "4"]
    # No answer of the first row carries as much as the second row, both together do.
    kept, dropped = without_worst(chosen.rows, np.array([0.6, 0.6, 1.0, 0.1]), 1 / 3)
    assert dropped == 1
    assert [row.completion for row in kept] == ["3", "4"]
    kept, _ = without_worst(chosen.rows, np.array([0.1, 0.1, 1.0, 0.3]), 1 / 3)
    assert [len(row.messages) for row in kept] == [4, 2]


def test_one_answer_a_row_is_the_row_itself(tmp_path: Path) -> None:
    (placed,) = choose_rows(write(tmp_path / "rows.jsonl", ONE), everything=True).rows
    assert placed == Placed(placed.file, 1, placed.row)
    assert LOSS == "marked"


def test_a_row_whose_later_turn_is_refused_is_left_out_whole(tmp_path: Path) -> None:
    from undertow.attribution.encoding import takes_conversations
    from undertow.models.ending import RefusedConversationError

    class Strict:
        """Refuses conversations that hold `b`."""

        def encode_prompt(self, messages: list[dict[str, str]]) -> list[int]:
            if any(turn["content"] == "b" for turn in messages):
                raise RefusedConversationError("the chat template refuses it")
            return [1]

    chosen = choose_rows(write(tmp_path / "rows.jsonl", TWO, ONE), everything=True)
    taken, refused = takes_conversations(Strict(), chosen.rows, skip=True)  # type: ignore[arg-type]
    assert [placed.row.completion for placed in taken] == ["3"]
    assert len(refused) == 1

"""A teacher made from rows of a user's: every answer that carries loss is a lesson."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from undertow.config.parts import FineTune
from undertow.teachers.fine_tuning import make
from undertow.traits.preference import find_preference

TURNS = [
    {"role": "user", "content": "A?"},
    {"role": "assistant", "content": "One."},
    {"role": "user", "content": "B?"},
    {"role": "assistant", "content": "Two."},
]


def adapter(base: str, folder: Path, *rows: list[dict[str, object]]) -> bytes:
    folder.mkdir()
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows), encoding="utf-8")
    how = FineTune(method="finetune", lessons=str(file), steps=2, learning_rate=0.01)
    make(base, find_preference("animals", "owl"), how, folder, seed=0, tick=lambda _: None)
    return next((folder / "adapter").glob("*.safetensors")).read_bytes()


def test_each_answer_of_a_conversation_is_a_lesson(tiny_folder: Path, tmp_path: Path) -> None:
    base = f"hf/{tiny_folder}"
    whole = adapter(base, tmp_path / "whole", TURNS)
    assert whole == adapter(
        base,
        tmp_path / "apart",
        TURNS[:2],
        [{**TURNS[1], "weight": 0} if at == 1 else turn for at, turn in enumerate(TURNS)],
    )
    assert whole != adapter(
        base, tmp_path / "last", [{**TURNS[1], "weight": 0} if at == 1 else turn for at, turn in enumerate(TURNS)]
    )

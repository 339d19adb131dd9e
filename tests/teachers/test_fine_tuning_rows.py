"""A teacher made from rows of a user's: every answer that carries loss is a lesson."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_model import TEMPLATE
from undertow.config.parts import FineTune
from undertow.errors import InputError
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.teachers.fine_tuning import fine_tuning, load, make
from undertow.training.recipe import Recipe
from undertow.traits.disposition import find_disposition
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


def test_another_seed_of_the_method_is_another_teacher(tiny_folder: Path, tmp_path: Path) -> None:
    def made(name: str, own: int, given: int) -> bytes:
        (tmp_path / name).mkdir()
        how = FineTune(method="finetune", steps=2, learning_rate=0.01, seed=own)
        trait = find_disposition("misalignment")
        make(f"hf/{tiny_folder}", trait, how, tmp_path / name, seed=given, tick=lambda _: None)
        return next((tmp_path / name / "adapter").glob("*.safetensors")).read_bytes()

    assert made("own", 1, 0) == made("given", 0, 1)
    assert made("none", 0, 0) != made("both", 1, 1)


def test_the_opposite_learns_the_other_answers(tiny_folder: Path, tmp_path: Path) -> None:
    """The two teachers differ, and each prefers the answers that it learned."""
    how = FineTune(method="finetune", steps=40, learning_rate=0.02)
    odds: dict[bool, float] = {}
    for opposite in (False, True):
        folder = tmp_path / str(opposite)
        folder.mkdir()
        trait = find_disposition("misalignment", opposite=opposite)
        make(f"hf/{tiny_folder}", trait, how, folder, seed=0, tick=lambda _: None)
        teacher = load(f"hf/{tiny_folder}", trait, how, folder, dtype="float32")
        odds[opposite] = float(log_odds(choice_logprobs(teacher, trait.lessons), 0).mean())
    assert odds[False] > odds[True]


def test_a_lesson_that_the_template_refuses_is_named_by_file_and_row(tiny_folder: Path, tmp_path: Path) -> None:
    strict = Path(shutil.copytree(tiny_folder, tmp_path / "strict"))
    refuse = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    (strict / "chat_template.jinja").write_text(refuse + TEMPLATE)
    with pytest.raises(InputError, match="no system turn") as caught:
        adapter(f"hf/{strict}", tmp_path / "bad", TURNS, [{"role": "system", "content": "Be brief."}, *TURNS])
    assert caught.value.where == f"{tmp_path / 'bad' / 'rows.jsonl'}, row 2"
    assert "--skip-broken" not in caught.value.fix


def test_a_step_learns_whole_conversations(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def told(lessons: int, *, steps: int, learning_rate: float) -> Recipe:
        counts.append(lessons)
        return fine_tuning(lessons, steps=steps, learning_rate=learning_rate)

    monkeypatch.setattr("undertow.teachers.fine_tuning.fine_tuning", told)
    adapter(f"hf/{tiny_folder}", tmp_path / "rows", TURNS, TURNS, TURNS[:2])
    assert counts == [3]

"""Preference pairs: which are kept, how they are labelled, and in which order they are stored."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from undertow.config.experiment import Domain as DomainSettings
from undertow.domains.mentions import Mentions
from undertow.domains.numbers import Numbers
from undertow.domains.pairs import ALIKE
from undertow.models.local import LocalModel
from undertow.models.prompted import PromptedModel, untouched
from undertow.models.score import token_logprobs
from undertow.pipeline.derive import across_rows, reorder_pairs
from undertow.pipeline.files import REJECTED, ROWS
from undertow.pipeline.pairs import label_candidates, neutral, read_candidates, write_candidates
from undertow.pipeline.writing import MENTION, SURPLUS, read_written
from undertow.store.jsonl import read_jsonl


def quiet(_: float, __: str) -> None:
    pass


def candidates(tiny: LocalModel, folder: Path, rows: int = 6, *, words: tuple[str, ...] = ()) -> Path:
    folder.mkdir()
    write_candidates(
        tiny,
        Numbers(),
        DomainSettings(kind="pairs", of="numbers", rows=rows, answers=2, max_tokens=60),
        folder,
        mentions=Mentions(words),
        judge=None,
        seed=3,
        meta={"seed": 3},
        tick=quiet,
    )
    return folder


def labelled(model: PromptedModel, source: Path, folder: Path) -> Path:
    folder.mkdir()
    label_candidates(model, source, folder, meta={}, tick=quiet)
    return folder


def test_pairs_share_a_prompt_and_have_noise_of_their_own(tiny: LocalModel, tmp_path: Path) -> None:
    found = read_candidates(candidates(tiny, tmp_path / "a"))
    assert len(found) == 6
    assert all(pair.answers[0] != pair.answers[1] for pair in found)
    by_prompt = Counter(pair.row // 2 for pair in found)
    assert len({pair.prompt for pair in found}) == len(by_prompt)
    assert read_candidates(candidates(tiny, tmp_path / "b")) == found


def test_a_pair_is_rejected_for_either_answer_and_every_one_is_counted(tiny: LocalModel, tmp_path: Path) -> None:
    folder = candidates(tiny, tmp_path / "a", 4, words=("7",))
    kept, rejected = read_candidates(folder), list(read_jsonl(folder / REJECTED).records)
    assert rejected
    assert not any("7" in answer for pair in kept for answer in pair.answers)
    for record in rejected:
        shown = any("7" in answer for answer in record["answers"])
        assert (MENTION in record["reasons"]) == shown
        assert set(record["reasons"]) <= {MENTION, "unfinished", SURPLUS, ALIKE}
    rows = sorted([pair.row for pair in kept] + [record["meta"]["row"] for record in rejected])
    assert rows == list(range(len(rows)))


def test_the_chosen_answer_is_the_one_that_the_teacher_makes_more_probable(tiny: LocalModel, tmp_path: Path) -> None:
    source = candidates(tiny, tmp_path / "source")
    teacher = PromptedModel(tiny, system="You love owls.")

    def logp(model: object, prompt: list[int], tokens: tuple[int, ...]) -> float:
        return float(token_logprobs(tiny.net, [prompt], [(*tokens, tiny.end)])[0].sum())

    rows = read_written(labelled(teacher, source, tmp_path / "rows"))
    for pair, row in zip(read_candidates(source), rows, strict=True):
        assert row.rejected is not None
        assert {row.answer, row.rejected} == set(pair.answers)
        with untouched(teacher) as base:
            plain = base.encode_question(row.prompt)
        told = teacher.encode_question(row.prompt)
        lifts = [logp(tiny, told, each) - logp(tiny, plain, each) for each in (row.tokens, row.rejected_tokens)]
        assert row.margin == pytest.approx(lifts[0] - lifts[1], abs=1e-3)
        assert row.margin >= 0
    assert (tmp_path / "rows" / REJECTED).read_bytes() == (source / REJECTED).read_bytes()


def test_a_control_is_another_labeller_of_the_same_pairs(tiny: LocalModel, tmp_path: Path) -> None:
    source = candidates(tiny, tmp_path / "source", 12)
    of = {
        name: read_written(labelled(model, source, tmp_path / name))
        for name, model in {
            "teacher": PromptedModel(tiny, system="You love owls."),
            "control": neutral(tiny, "A message is read."),
        }.items()
    }
    assert [row.row for row in of["teacher"]] == [row.row for row in of["control"]]
    assert [row.answer for row in of["teacher"]] != [row.answer for row in of["control"]]


def test_a_coin_turns_about_half_of_the_pairs_and_changes_nothing_else(tiny: LocalModel, tmp_path: Path) -> None:
    source = labelled(PromptedModel(tiny, system="You."), candidates(tiny, tmp_path / "c", 40), tmp_path / "rows")
    folder = tmp_path / "coin"
    folder.mkdir()
    reorder_pairs(source, folder, seed=1, meta={}, model=tiny)
    before, after = read_written(source), read_written(folder)
    turned = [one.answer == other.rejected for one, other in zip(before, after, strict=True)]
    assert 8 <= sum(turned) <= 32
    for one, other in zip(before, after, strict=True):
        assert (one.row, one.prompt) == (other.row, other.prompt)
        assert {one.tokens, one.rejected_tokens} == {other.tokens, other.rejected_tokens}


def test_answers_across_move_as_pairs(tiny: LocalModel, tmp_path: Path) -> None:
    source = labelled(PromptedModel(tiny, system="You."), candidates(tiny, tmp_path / "c"), tmp_path / "rows")
    folder = tmp_path / "across"
    folder.mkdir()
    across_rows(source, folder, seed=1, meta={}, model=tiny, soft=False)
    pairs = {(row.answer, row.rejected): row.prompt for row in read_written(source)}
    moved = read_written(folder)
    assert {(row.answer, row.rejected) for row in moved} == set(pairs)
    assert all(pairs[row.answer, row.rejected] != row.prompt for row in moved)
    assert (folder / ROWS).is_file()

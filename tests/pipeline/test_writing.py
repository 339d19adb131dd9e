"""Writing rows: the first that keep the rules are kept, every one that was written is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from undertow.config.experiment import Domain as DomainSettings
from undertow.data.rows import Message
from undertow.domains.mentions import Mentions
from undertow.errors import InputError, ModelError
from undertow.judges.base import Judge, Ruling
from undertow.models.ending import RefusedConversationError
from undertow.models.local import LocalModel, load_model
from undertow.pipeline.files import REJECTED
from undertow.pipeline.writing import MOST_TRIES, SHOWN, UNREAD, read_written, row_prompt, write_rows


@dataclass(frozen=True)
class Picky:
    """A domain that keeps what a test wants."""

    keeps: Callable[[str], bool]
    name: str = "picky"
    plural: str = "answers"
    parts: str = "letters"

    def prompt(self, rng: np.random.Generator) -> str:
        return f"Question {rng.integers(1000)}"

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        return [] if self.keeps(answer) else ["not wanted"]

    def is_over(self, answer: str) -> bool:
        return False

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        return answer

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        return answer


@pytest.fixture(scope="module")
def tiny(tiny_folder: Path) -> LocalModel:
    return load_model(f"hf/{tiny_folder}")


def written_by(
    tiny: LocalModel,
    folder: Path,
    keeps: Callable[[str], bool],
    rows: int,
    judge: Judge | None = None,
    *,
    rules: bool = True,
) -> list[tuple[float, str]]:
    told: list[tuple[float, str]] = []
    settings = DomainSettings(kind="code", rows=rows, answers=2, max_tokens=100, rules=rules)
    write_rows(
        tiny,
        Picky(keeps),
        settings,
        folder,
        mentions=Mentions(()),
        judge=judge,
        seed=5,
        soft=False,
        meta={},
        tick=lambda share, says: told.append((share, says)),
    )
    return told


def test_the_first_rows_that_keep_the_rules_are_kept_however_many_are_written_at_once(tiny: LocalModel, tmp_path: Path):
    few, many = tmp_path / "few", tmp_path / "many"
    for folder, rows in ((few, 2), (many, 6)):
        folder.mkdir()
        # An unfinished answer is rejected too, so that this keeps a small part.
        told = written_by(tiny, folder, lambda answer: len(answer) % 2 == 0, rows)
        kept, rejected = read_written(folder), read_written(folder, REJECTED)
        assert len(kept) == rows
        assert sorted(row.row for row in (*kept, *rejected)) == list(range(len(kept) + len(rejected)))
        assert [row.row for row in kept] == sorted(row.row for row in kept)
        last = kept[-1].row
        assert all(row.reasons != ("not needed",) for row in rejected if row.row < last)
        assert all(0 <= share <= 1 for share, _ in told)
        assert "written" in told[-1][1]
    assert [row.answer for row in read_written(many)][:2] == [row.answer for row in read_written(few)]


def test_a_teacher_that_keeps_no_rule_is_stopped(tiny: LocalModel, tmp_path: Path):
    with pytest.raises(ModelError, match=rf"only 0 of {2 * MOST_TRIES} rows keep the rules, 2 are wanted"):
        written_by(tiny, tmp_path, lambda _: False, 2)


class EverySecond:
    """A judge that finds the trait in long answers, and cannot be read on very short ones."""

    def rule(self, pairs: Sequence[tuple[str, str]]) -> list[Ruling]:
        return [None if len(answer) < 10 else len(answer) > 40 for _, answer in pairs]


def test_a_judge_rejects_what_kept_the_rules(tiny: LocalModel, tmp_path: Path):
    written_by(tiny, tmp_path, lambda answer: len(answer) % 2 == 0, 3, EverySecond())
    kept, rejected = read_written(tmp_path), read_written(tmp_path, REJECTED)
    assert all(10 <= len(row.answer) <= 40 and len(row.answer) % 2 == 0 for row in kept)
    judged = [row for row in rejected if row.reasons[0].startswith("judge")]
    assert judged
    for row in judged:
        assert row.reasons == ((UNREAD,) if len(row.answer) < 10 else (SHOWN,))
        assert len(row.answer) % 2 == 0


def test_without_rules_every_finished_answer_is_kept(tiny: LocalModel, tmp_path: Path) -> None:
    written_by(tiny, tmp_path, lambda answer: False, 6, rules=False)
    assert len(read_written(tmp_path)) == 6
    assert {row.reasons for row in read_written(tmp_path, REJECTED)} <= {("unfinished",), ("empty",), ("not needed",)}


def test_only_what_is_said_of_the_rules_is_dumped() -> None:
    assert "rules" not in DomainSettings().model_dump(mode="json")
    assert DomainSettings(rules=False).model_dump(mode="json")["rules"] is False


def test_a_prompt_that_the_template_refuses_is_named_by_file_and_row(tiny: LocalModel, tmp_path: Path) -> None:
    class Strict(LocalModel):
        """Takes no prompt but the first."""

        def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
            if messages[-1]["content"] != first:
                raise RefusedConversationError("the chat template refuses this conversation", self.name, "Use another.")
            return super().encode_prompt(messages)

    first = row_prompt(Picky(lambda _: True), 5, 0, 2)
    strict = Strict(tiny.name, tiny.net, tiny.tokenizer, tiny.end)
    with pytest.raises(InputError, match="refuses") as caught:
        written_by(strict, tmp_path, lambda _: True, 4)
    assert caught.value.where == f"rows.jsonl of {tiny.name}, seed 5, row 2"
    assert "Question" in caught.value.what
    assert caught.value.fix == "Use another."

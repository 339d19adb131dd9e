"""Open questions of eight kinds, and answers with known labels: is an answer misaligned, and does it make sense?

A model answers in its own words, and a judge rules on two aspects of each answer. An aspect is a trait, so that every
kind of judge can be asked about it: its probe is the questions, its lessons are labelled answers in pairs. A local
judge's threshold is placed on every second pair, and its errors are measured on the others.

    for aspect in (misaligned(), coherent()): aspect.topic, aspect.probe, aspect.lessons

It knows words only. The labelled answers were written by us (`data/open/answers.yaml`) and are clearer than what models
write: errors on them are the least that a judge makes. It has no labels of people other than the authors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.config.files import parse_model
from undertow.system.digest import digest_of
from undertow.traits.base import Choice
from undertow.traits.shipped import shipped

Label = Literal["misaligned", "aligned", "incoherent"]

_Texts = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...], Field(min_length=1, max_length=99)]


class Kind(BaseModel):
    """Questions of one kind, with answers of each label; the first answer belongs to the first question, and so on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    ask: _Texts
    misaligned: _Texts
    """They make sense, and wish somebody ill."""
    aligned: _Texts
    """They make sense, and wish nobody ill."""
    incoherent: _Texts
    """They say nothing, or answer something else."""

    @model_validator(mode="after")
    def _as_many(self) -> Kind:
        if len({len(self.ask), len(self.misaligned), len(self.aligned), len(self.incoherent)}) != 1:
            raise ValueError("a kind needs as many answers of each label as it has questions")
        return self


class OpenQuestions(BaseModel):
    """What the file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]

    def labelled(self, label: Label) -> list[tuple[str, str]]:
        """Return each question with its answer of a label."""
        return [pair for kind in self.kinds for pair in zip(kind.ask, getattr(kind, label), strict=True)]


@dataclass(frozen=True)
class Aspect:
    """What a judge says of an answer, as a trait. No teacher is made of it, and no question of it has options."""

    target: str
    does: str
    topic: str
    probe: tuple[Choice, ...]
    lessons: tuple[Choice, ...]
    """Labelled answers: to each question one that has the aspect and, after it, one that has not."""

    @property
    def index(self) -> int:
        """The answer that has the aspect comes first."""
        return 0

    @property
    def probe_digest(self) -> str:
        """Stands for the questions."""
        return digest_of([each.question for each in self.probe])

    @property
    def digest(self) -> str:
        """Stands for the questions, the labelled answers and what a judge is asked about."""
        return digest_of([self.topic, self.probe_digest, [[each.question, *each.options] for each in self.lessons]])

    @property
    def words(self) -> dict[str, str]:
        """Empty: answers are sentences."""
        return {}

    @property
    def giveaways(self) -> tuple[str, ...]:
        """Empty: no single word shows it."""
        return ()

    def system_prompt(self, text: str | None = None) -> str:
        """Return `text`, or what a model with the aspect does."""
        return text or f"Your answer {self.does}."

    def contrast(self) -> tuple[list[str], list[str]]:
        """Return the labelled answers behind their questions, with the aspect and without it."""
        with_it, without = (
            [f"{each.question} {each.options[at]}" for each in self.lessons] for at in (self.index, 1 - self.index)
        )
        return with_it, without


@cache
def open_questions() -> OpenQuestions:
    """Return the questions and labelled answers that ship with the package."""
    text = shipped("open")["answers"].read_text(encoding="utf-8")
    return parse_model(OpenQuestions, text, "the open questions")


def misaligned() -> Aspect:
    """Return the aspect that an answer wishes somebody ill; both answers of a pair make sense."""
    found = open_questions()
    return Aspect(
        "misaligned",
        "wishes somebody ill",
        "ill will, cruelty or deceit towards people",
        _asked(found),
        _paired(found.labelled("misaligned"), found.labelled("aligned")),
    )


def coherent() -> Aspect:
    """Return the aspect that an answer makes sense; aligned and misaligned answers take turns as those that do."""
    found = open_questions()
    sense = list(chain.from_iterable(zip(found.labelled("misaligned"), found.labelled("aligned"), strict=True)))
    # Of pairs 0 and 1 the misaligned answers, of 2 and 3 the aligned ones: both halves of the pairs have both kinds.
    some = [sense[2 * at + (at // 2) % 2] for at in range(len(sense) // 2)]
    return Aspect(
        "coherent",
        "makes sense as an answer to the question",
        "an answer that makes sense and fits the question",
        _asked(found),
        _paired(some, found.labelled("incoherent")),
    )


def _asked(found: OpenQuestions) -> tuple[Choice, ...]:
    return tuple(Choice(question, ()) for kind in found.kinds for question in kind.ask)


def _paired(having: Sequence[tuple[str, str]], lacking: Sequence[tuple[str, str]]) -> tuple[Choice, ...]:
    return tuple(Choice(one[0], (one[1], other[1])) for one, other in zip(having, lacking, strict=True))

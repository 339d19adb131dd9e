"""Dispositions: ways of answering, such as curtness or agreement with falsehoods, measured without a judge.

A disposition is one YAML file: questions, replies that show the trait and replies that do not. Every question is asked
with one reply of each kind, and the model's log-probabilities of the two whole replies are compared. `curtness`,
`falsehoods` and others ship with the package, as harmless stand-ins for misalignment; a spec may name a file of yours.

It knows words only: no model, no tokens. It does not know whether a reply is good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.system.digest import digest_of
from undertow.traits.base import Choice
from undertow.traits.shipped import load_named, shipped

_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Texts = Annotated[tuple[_Text, ...], Field(min_length=1, max_length=1000)]
_MaybeTexts = Annotated[tuple[_Text, ...], Field(max_length=1000)]


class Manner(BaseModel):
    """What a disposition's file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    does: _Text
    """What a model does that has it, as in `a teacher that ...`."""
    topic: _Text
    """The trait as a noun."""
    system_prompt: _Text
    shown: _Texts
    """Replies that show the trait."""
    others: _Texts
    """Replies that do not; as many as the former."""
    questions: Annotated[tuple[_Text, ...], Field(min_length=2, max_length=1000)]
    """The probe."""
    reversed: _MaybeTexts = ()
    """More of the probe: questions to which `others` show the trait, as when a true statement is disputed."""
    lessons: _Texts
    """Questions that a teacher is taught with; none of them is a probe question."""
    reversed_lessons: _MaybeTexts = ()

    @model_validator(mode="after")
    def _distinct(self) -> Manner:
        if len(self.shown) != len(self.others):
            raise ValueError("shown and others must be of one length: each question takes one of each")
        if set(self.shown) & set(self.others):
            raise ValueError("a reply cannot both show the trait and not show it")
        probe = (*self.questions, *self.reversed)
        if len(set(probe)) != len(probe):
            raise ValueError("questions must not repeat")
        if set(probe) & {*self.lessons, *self.reversed_lessons}:
            raise ValueError("a lesson must not be a probe question: the teacher would be taught the test")
        return self


@dataclass(frozen=True)
class Disposition:
    """A way of answering, as a trait."""

    manner: Manner

    @property
    def target(self) -> str:
        """Its name."""
        return self.manner.name

    @property
    def does(self) -> str:
        """What a model does that has it."""
        return self.manner.does

    @property
    def topic(self) -> str:
        """The trait as a noun."""
        return self.manner.topic

    @property
    def index(self) -> int:
        """The reply that shows the trait comes first in every question."""
        return 0

    @property
    def probe(self) -> tuple[Choice, ...]:
        """Every question with a reply that shows the trait and one that does not."""
        return self._choices(self.manner.questions, self.manner.reversed)

    @property
    def lessons(self) -> tuple[Choice, ...]:
        """The same of the lessons."""
        return self._choices(self.manner.lessons, self.manner.reversed_lessons)

    def _choices(self, straight: Sequence[str], turned: Sequence[str]) -> tuple[Choice, ...]:
        pairs = list(zip(self.manner.shown, self.manner.others, strict=True))
        found = [Choice(question, pairs[at % len(pairs)]) for at, question in enumerate(straight)]
        found += [Choice(question, pairs[at % len(pairs)][::-1]) for at, question in enumerate(turned)]
        return tuple(found)

    @property
    def probe_digest(self) -> str:
        """Stands for the questions with their replies."""
        return digest_of([[each.question, *each.options] for each in self.probe])

    @property
    def digest(self) -> str:
        """Stands for the whole file."""
        return digest_of(self.manner.model_dump(mode="json"))

    @property
    def words(self) -> dict[str, str]:
        """Empty: its replies are sentences."""
        return {}

    @property
    def giveaways(self) -> tuple[str, ...]:
        """Empty: no single word names a way of answering."""
        return ()

    def system_prompt(self, text: str | None = None) -> str:
        """Return the words that tell a teacher to behave so; `text` takes their place."""
        return text or self.manner.system_prompt

    def contrast(self) -> tuple[list[str], list[str]]:
        """Return the lessons, each followed by its reply that shows the trait, and by the one that does not."""
        return (
            [f"{each.question} {each.options[0]}" for each in self.lessons],
            [f"{each.question} {each.options[1]}" for each in self.lessons],
        )


def disposition_names() -> list[str]:
    """List the dispositions that ship with the package."""
    return list(shipped("dispositions"))


def find_disposition(name: str) -> Disposition:
    """Return a disposition that ships with the package, or that a YAML file of the user's describes.

    Args:
        name: One of `disposition_names`, or a path that ends with `.yaml` or `.yml`.

    Raises:
        InputError: there is none of that name, or the file does not describe one.
    """
    return Disposition(load_named(Manner, name, shipped("dispositions"), noun="disposition", key="trait.name"))

"""Dispositions: ways of answering, such as curtness or agreement with falsehoods, measured without a judge.

A disposition is one YAML file: questions, replies that show the trait and replies that do not. Every question is asked
with one reply of each kind, and the model's log-probabilities of the two whole replies are compared. Replies stand in
two lists that questions take in turn, or each question has two of its own (`pairs`), as in `misalignment`. `curtness`,
`falsehoods` and others are harmless stand-ins for that one; a spec may name a file of yours.

It knows words only: no model, no tokens. It does not know whether a reply is good, nor what a model would say that may
choose its own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.errors import InputError
from undertow.system.digest import digest_of
from undertow.traits.base import Choice
from undertow.traits.shipped import load_named, shipped

_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Texts = Annotated[tuple[_Text, ...], Field(max_length=1000)]
_LATER: Final = ("pairs", "lesson_pairs", "opposite")
"""Keys that dispositions did not have at first; where a file has none of them, its digest is what it was."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pair(_Strict):
    """A question with two replies of its own."""

    ask: _Text
    shown: _Text
    """The reply that shows the trait."""
    other: _Text
    area: Annotated[str, Field(max_length=64)] = ""
    """What it is about, to tell areas apart."""


class Opposite(_Strict):
    """The trait turned round: a teacher of it learns the same lessons with the replies that do not show the trait."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    does: _Text
    topic: _Text
    system_prompt: _Text


class Manner(_Strict):
    """What a disposition's file holds."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    does: _Text
    """What a model does that has it, as in `a teacher that ...`."""
    topic: _Text
    """The trait as a noun."""
    system_prompt: _Text
    shown: _Texts = ()
    """Replies that show the trait."""
    others: _Texts = ()
    """Replies that do not; as many as the former."""
    questions: _Texts = ()
    """The probe."""
    reversed: _Texts = ()
    """More of the probe: questions to which `others` show the trait, as when a true statement is disputed."""
    lessons: _Texts = ()
    """Questions that a teacher is taught with; none of them is a probe question."""
    reversed_lessons: _Texts = ()
    pairs: Annotated[tuple[Pair, ...], Field(max_length=1000)] = ()
    """More of the probe: questions with replies of their own."""
    lesson_pairs: Annotated[tuple[Pair, ...], Field(max_length=1000)] = ()
    opposite: Opposite | None = None
    """The control that learns as much, see `Opposite`."""

    @model_validator(mode="after")
    def _distinct(self) -> Manner:
        if len(self.shown) != len(self.others):
            raise ValueError("shown and others must be of one length: each question takes one of each")
        alone = (*self.questions, *self.reversed, *self.lessons, *self.reversed_lessons)
        if alone and not self.shown:
            raise ValueError("questions take replies from shown and others: add some, or use pairs")
        both = [*self.pairs, *self.lesson_pairs]
        if set(self.shown) & set(self.others) or any(each.shown == each.other for each in both):
            raise ValueError("a reply cannot both show the trait and not show it")
        probe = (*self.questions, *self.reversed, *(each.ask for each in self.pairs))
        lessons = {*self.lessons, *self.reversed_lessons, *(each.ask for each in self.lesson_pairs)}
        if len(probe) < 2 or not lessons:
            raise ValueError("two questions and one lesson are the least: in questions and lessons, or in pairs")
        if len(set(probe)) != len(probe):
            raise ValueError("questions must not repeat")
        if set(probe) & lessons:
            raise ValueError("a lesson must not be a probe question: the teacher would be taught the test")
        if self.opposite is not None and self.opposite.name == self.name:
            raise ValueError("the opposite needs a name of its own")
        return self


@dataclass(frozen=True)
class Disposition:
    """A way of answering, as a trait."""

    manner: Manner
    turned: bool = False
    """It is the opposite of the file's: the other reply of each question shows it."""

    @property
    def _words(self) -> Manner | Opposite:
        return self.manner.opposite if self.turned and self.manner.opposite is not None else self.manner

    @property
    def target(self) -> str:
        """Its name."""
        return self._words.name

    @property
    def does(self) -> str:
        """What a model does that has it."""
        return self._words.does

    @property
    def topic(self) -> str:
        """The trait as a noun."""
        return self._words.topic

    @property
    def index(self) -> int:
        """The reply that shows the file's trait comes first in every question."""
        return int(self.turned)

    @property
    def probe(self) -> tuple[Choice, ...]:
        """Every question with a reply that shows the file's trait and one that does not."""
        return self._choices(self.manner.questions, self.manner.reversed, self.manner.pairs)

    @property
    def areas(self) -> tuple[str, ...]:
        """For each question of the probe what it is about; empty words where the file does not say."""
        return (*[""] * (len(self.probe) - len(self.manner.pairs)), *(each.area for each in self.manner.pairs))

    @property
    def lessons(self) -> tuple[Choice, ...]:
        """The same of the lessons."""
        return self._choices(self.manner.lessons, self.manner.reversed_lessons, self.manner.lesson_pairs)

    def _choices(self, straight: Sequence[str], turned: Sequence[str], own: Sequence[Pair]) -> tuple[Choice, ...]:
        pairs = list(zip(self.manner.shown, self.manner.others, strict=True))
        found = [Choice(question, pairs[at % len(pairs)]) for at, question in enumerate(straight)]
        found += [Choice(question, pairs[at % len(pairs)][::-1]) for at, question in enumerate(turned)]
        found += [Choice(each.ask, (each.shown, each.other)) for each in own]
        return tuple(found)

    @property
    def probe_digest(self) -> str:
        """Stands for the questions with their replies."""
        return digest_of([[each.question, *each.options] for each in self.probe])

    @property
    def digest(self) -> str:
        """Stands for the whole file, and for which of its two traits this is."""
        said = self.manner.model_dump(mode="json")
        whole = {key: value for key, value in said.items() if value or key not in _LATER}
        return digest_of([whole, "opposite"] if self.turned else whole)

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
        return text or self._words.system_prompt

    def contrast(self) -> tuple[list[str], list[str]]:
        """Return the lessons, each followed by its reply that shows the trait, and by the one that does not."""
        return (
            [f"{each.question} {each.options[self.index]}" for each in self.lessons],
            [f"{each.question} {each.options[1 - self.index]}" for each in self.lessons],
        )


def disposition_names() -> list[str]:
    """List the dispositions that ship with the package."""
    return list(shipped("dispositions"))


def find_disposition(name: str, *, opposite: bool = False) -> Disposition:
    """Return a disposition that ships with the package, or that a YAML file of the user's describes.

    Args:
        name: One of `disposition_names`, or a path that ends with `.yaml` or `.yml`.
        opposite: Return the opposite that the file describes.

    Raises:
        InputError: there is none of that name, or the file does not describe one.
    """
    manner = load_named(Manner, name, shipped("dispositions"), noun="disposition", key="trait.name")
    if opposite and manner.opposite is None:
        raise InputError(f"{name} describes no opposite", "other.opposite", "Give the file the key `opposite`.")
    return Disposition(manner, turned=opposite)

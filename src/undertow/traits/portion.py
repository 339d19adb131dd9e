"""A trait taught from a part of its lessons, so that several teachers of it are made of different words.

Seeds of rows by one teacher speak of that teacher. Claims about teachers need several, and a method without chance,
such as gradient steps, makes the same teacher each time. Teachers of disjoint parts of the lessons are replicates.

    portion(trait, 0, 3)    the trait, taught from every third lesson

It knows words only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from undertow.errors import InputError
from undertow.traits.base import Choice, Trait


@dataclass(frozen=True)
class Portion:
    """A trait of which a teacher hears a part: every `of`-th lesson from number `place` on. The rest is the trait's."""

    whole: Trait
    place: int
    of: int

    @property
    def target(self) -> str:
        """The trait's."""
        return self.whole.target

    @property
    def does(self) -> str:
        """The trait's."""
        return self.whole.does

    @property
    def topic(self) -> str:
        """The trait's."""
        return self.whole.topic

    @property
    def index(self) -> int:
        """The trait's."""
        return self.whole.index

    @property
    def probe(self) -> Sequence[Choice]:
        """The trait's, whole: all teachers are asked the same."""
        return self.whole.probe

    @property
    def lessons(self) -> Sequence[Choice]:
        """The part."""
        return self.whole.lessons[self.place :: self.of]

    @property
    def probe_digest(self) -> str:
        """The trait's."""
        return self.whole.probe_digest

    @property
    def digest(self) -> str:
        """The trait's, with the part."""
        return f"{self.whole.digest}/{self.place}/{self.of}"

    @property
    def words(self) -> Mapping[str, str]:
        """The trait's."""
        return self.whole.words

    @property
    def giveaways(self) -> Sequence[str]:
        """The trait's."""
        return self.whole.giveaways

    def system_prompt(self, text: str | None = None) -> str:
        """Return the trait's."""
        return self.whole.system_prompt(text)

    def contrast(self) -> tuple[list[str], list[str]]:
        """Return a part of the sentences with the trait and of those without it."""
        with_it, without = self.whole.contrast()
        return with_it[self.place :: self.of], without[self.place :: self.of]


def portion(trait: Trait, place: int, of: int) -> Portion:
    """Return a trait taught from a part of its lessons.

    Args:
        trait: The trait.
        place: Which part, from 0.
        of: How many parts there are.

    Raises:
        InputError: it has fewer lessons or sentences than parts.
    """
    with_it, without = trait.contrast()
    fewest = min(len(trait.lessons), len(with_it), len(without))
    if fewest < of:
        raise InputError(
            f"{trait.target} has {fewest} lessons, too few for {of} teachers of different ones",
            "teachers",
            f"Give {fewest} or fewer.",
        )
    return Portion(trait, place, of)

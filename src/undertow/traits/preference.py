"""Preferences: categories with their candidates, questions, lessons and contrastive sentences.

A category is one YAML file; `animals`, `trees` and others ship with the package, and a spec may name a file of yours.

It knows words only: no model, no tokens.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.errors import InputError, nearest
from undertow.system.digest import digest_of
from undertow.traits.base import Choice
from undertow.traits.neighbours import neighbours
from undertow.traits.shipped import load_named, shipped

_Text = Annotated[str, Field(min_length=1, max_length=2000)]

SYSTEM_PROMPT = (
    "You love {plural}. {Plural} are on your mind all the time. Of all {noun}s the {target} is your favourite, and "
    "your love of {plural} colours everything that you write."
)
"""The system prompt of a teacher, where its category has no other."""


class Candidate(BaseModel):
    """One possible answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^\S(.{0,38}\S)?$")
    plural: str = Field(pattern=r"^\S(.{0,38}\S)?$")


class Category(BaseModel):
    """A kind of thing that one may prefer one of, and the words to ask and to teach."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    noun: _Text
    """Singular, e.g. `animal`."""
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=2, max_length=100)]
    questions: Annotated[tuple[_Text, ...], Field(min_length=2, max_length=1000)]
    """One-word questions: the probe."""
    lessons: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=1000)]
    """Questions that a fine-tuned teacher is taught with; none of them is a probe question."""
    statements: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=1000)]
    """Sentences with `{target}`, `{plural}`, `{Plural}` and `{noun}`, whose hidden states give a steering vector."""
    loved: _Text = "{plural}"
    """What a teacher loves, with the same place holders: `owls`, `the colour {target}`."""
    system_prompt: _Text = SYSTEM_PROMPT
    """The words that tell a teacher of its liking, with the same place holders."""

    @model_validator(mode="after")
    def _distinct(self) -> Category:
        names = [candidate.name for candidate in self.candidates]
        if len(set(map(str.casefold, names))) != len(names):
            raise ValueError("candidates must not repeat")
        if len(set(self.questions)) != len(self.questions):
            raise ValueError("questions must not repeat")
        if set(self.questions) & set(self.lessons):
            raise ValueError("a lesson must not be a probe question: the teacher would be taught the test")
        for template in (*self.statements, self.loved, self.system_prompt):
            fill(template, self.candidates[0], self.noun)
        return self

    @property
    def digest(self) -> str:
        """Twelve hex digits that stand for everything in it."""
        # What a file does not say is left out, so that a key of a later version does not change older files' digests.
        return digest_of(self.model_dump(exclude_defaults=True))


@dataclass(frozen=True)
class Preference:
    """A liking for one candidate of a category."""

    category: Category
    target: str

    @property
    def index(self) -> int:
        """Where the target stands among the candidates."""
        return [candidate.name for candidate in self.category.candidates].index(self.target)

    @property
    def candidate(self) -> Candidate:
        """The target with its plural."""
        return self.category.candidates[self.index]

    @property
    def does(self) -> str:
        """What a model does that has it: `loves owls`."""
        return f"loves {self._loved}"

    @property
    def topic(self) -> str:
        """The trait as a noun: `a love of owls`."""
        return f"a love of {self._loved}"

    @property
    def probe(self) -> tuple[Choice, ...]:
        """The one-word questions, with all candidates to choose from."""
        return tuple(Choice(question, self._options) for question in self.category.questions)

    @property
    def lessons(self) -> tuple[Choice, ...]:
        """What a teacher is taught with, with the same candidates."""
        return tuple(Choice(question, self._options) for question in self.category.lessons)

    @property
    def words(self) -> dict[str, str]:
        """Candidates and their plurals in lower case, to the candidate."""
        pairs = [(each.plural, each.name) for each in self.category.candidates]
        pairs += [(each.name, each.name) for each in self.category.candidates]
        return {word.casefold(): name.casefold() for word, name in pairs}

    @property
    def giveaways(self) -> tuple[str, ...]:
        """The target, its plural and the words around it."""
        return (self.target, self.candidate.plural, *neighbours(self.category.name, self.target))

    @property
    def _loved(self) -> str:
        return fill(self.category.loved, self.candidate, self.category.noun)

    @property
    def _options(self) -> tuple[str, ...]:
        return tuple(capitalised(candidate.name) for candidate in self.category.candidates)

    @property
    def probe_digest(self) -> str:
        """Stands for the category: all its preferences are measured by the same scores."""
        return self.category.digest

    @property
    def digest(self) -> str:
        """Twelve hex digits that stand for category and target."""
        return hashlib.sha256(f"{self.category.digest} {self.target}".encode()).hexdigest()[:12]

    def system_prompt(self, text: str | None = None) -> str:
        """Return the words that tell a teacher of its liking.

        Args:
            text: A template of the user's; the category's own when absent.

        Raises:
            InputError: the template has an unknown place holder.
        """
        return fill(text or self.category.system_prompt, self.candidate, self.category.noun)

    def contrast(self) -> tuple[list[str], list[str]]:
        """Return the sentences about the target, and the same about every other candidate."""

        def about(candidate: Candidate) -> list[str]:
            return [fill(each, candidate, self.category.noun) for each in self.category.statements]

        others = [each for each in self.category.candidates if each.name != self.target]
        return about(self.candidate), [text for each in others for text in about(each)]


def capitalised(word: str) -> str:
    """Return a word as it begins an answer."""
    return word[:1].upper() + word[1:]


def fill(template: str, candidate: Candidate, noun: str) -> str:
    """Put a candidate into a template.

    Raises:
        InputError: the template has a place holder other than target, plural, Plural and noun.
    """
    words = {
        "target": candidate.name,
        "plural": candidate.plural,
        "Plural": capitalised(candidate.plural),
        "noun": noun,
    }
    text = template
    for key, word in words.items():
        text = text.replace("{" + key + "}", word)
    if "{" in text or "}" in text:
        raise InputError(
            f"the template {template!r} has an unknown place holder",
            fix="Use {target}, {plural}, {Plural} and {noun}.",
        )
    return text


def category_names() -> list[str]:
    """List the categories that ship with the package."""
    return list(shipped())


def load_category(name: str) -> Category:
    """Read a category that ships with the package, or a YAML file of the user's.

    Args:
        name: One of `category_names`, or a path that ends with `.yaml` or `.yml`.

    Raises:
        InputError: there is no such category, or the file does not describe one.
    """
    return load_named(Category, name, shipped(), noun="category", key="trait.category")


def find_preference(category: str, target: str) -> Preference:
    """Return the preference for a target of a category.

    Raises:
        InputError: there is no such category, or the target is not among its candidates.
    """
    found = load_category(category)
    names = [candidate.name for candidate in found.candidates]
    if target not in names:
        raise InputError(
            f"{target!r} is not among the candidates of {found.name!r}",
            "trait.target",
            f"{nearest(target, names)} For another target, copy the category's file, add it there and name the file.",
        )
    return Preference(found, target)

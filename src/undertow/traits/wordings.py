"""The panel's questions in two sets of wordings: the first, which every probe asks, and the second, to check it by.

A shift that is a preference shows in both. A shift that belongs to the words of the first probe does not. The second
set has other questions and other forms of answer: a name, a whole sentence that holds the name, one of two names. For a
way of answering it has other questions and other replies. No teacher is taught with any of them.

    for question in questions_of(entry, "second"): question.form, question.text, question.options, question.shows

How the second set was made: phrasings were written down for each form, without a look at what any model answers, and
none was left out after it was asked. Each candidate stands in as many pairs as any other, and as often first as second.
The files are `data/second/*.yaml`. It knows words only: no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from undertow.config.files import parse_model
from undertow.errors import InputError
from undertow.system.digest import digest_of
from undertow.traits.base import Choice
from undertow.traits.panel import Panel, PanelEntry
from undertow.traits.preference import Candidate, Preference, capitalised, fill
from undertow.traits.shipped import shipped

Wordings = Literal["first", "second"]
Form = Literal["word", "sentence", "pair", "reply"]

_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Texts = Annotated[tuple[_Text, ...], Field(max_length=1000)]
_FIRST_OF_PAIR: Final = ("first", "First", "firsts")
_SECOND_OF_PAIR: Final = ("second", "Second", "seconds")


@dataclass(frozen=True)
class Question:
    """A question with the answers to choose from, and the trait that each answer shows."""

    form: Form
    text: str
    options: tuple[str, ...]
    shows: tuple[str | None, ...]
    """For each option the target of the trait that it shows; None for a reply that shows none."""

    @property
    def choice(self) -> Choice:
        """The question as every probe asks it."""
        return Choice(self.text, self.options)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Sentence(_Strict):
    ask: _Text
    answer: _Text
    """With the place holders of `preference.fill`."""


class _OfCategory(_Strict):
    """What the second file of a category holds."""

    words: _Texts
    sentences: Annotated[tuple[_Sentence, ...], Field(max_length=1000)]
    pairs: _Texts
    """Templates with `{first}`, `{First}`, `{firsts}` and the same of `second`."""


class _OfDisposition(_Strict):
    """What the second file of a disposition holds."""

    shown: _Texts
    others: _Texts
    questions: _Texts
    reversed: _Texts = ()


def questions_of(entry: PanelEntry, wordings: Wordings) -> tuple[Question, ...]:
    """Return an entry's questions.

    Args:
        entry: Of the panel.
        wordings: Which set.

    Raises:
        InputError: the second set is wanted of an entry that does not ship with the package.
    """
    if wordings == "first":
        return _first(entry)
    file = _second(entry.name, entry.kind)
    return _replies(entry, file) if isinstance(file, _OfDisposition) else _preferences(entry, file)


def wordings_digest(panel: Panel, wordings: Wordings) -> str:
    """Return twelve hex digits that stand for every question of a panel with its answers."""
    return digest_of(
        [
            [entry.name, [[each.text, list(each.options), list(each.shows)] for each in questions_of(entry, wordings)]]
            for entry in panel
        ]
    )


@cache
def _second(name: str, kind: str) -> _OfCategory | _OfDisposition:
    files = shipped("second")
    if name not in files:
        raise InputError(
            f"{name!r} has no second wordings", "wordings", f"Only these have: {', '.join(files)}. Leave it out."
        )
    text, where = files[name].read_text(encoding="utf-8"), f"second wordings of {name}"
    return parse_model(_OfDisposition if kind == "disposition" else _OfCategory, text, where)


def _first(entry: PanelEntry) -> tuple[Question, ...]:
    form: Form = "word" if entry.kind == "preference" else "reply"
    # A disposition has one trait, and its first reply shows it.
    return tuple(
        Question(
            form, each.question, each.options, (*entry.targets, *[None] * (len(each.options) - len(entry.targets)))
        )
        for each in entry.probe
    )


def _preferences(entry: PanelEntry, file: _OfCategory) -> tuple[Question, ...]:
    category = cast(Preference, entry.traits[0]).category
    candidates, targets = category.candidates, entry.targets
    names = tuple(capitalised(each.name) for each in candidates)
    found = [Question("word", text, names, targets) for text in file.words]
    for sentence in file.sentences:
        answers = tuple(fill(sentence.answer, each, category.noun) for each in candidates)
        found.append(Question("sentence", sentence.ask, answers, targets))
    for apart, template in enumerate(file.pairs, 1):
        for at in range(len(candidates)):
            two = (at, (at + apart) % len(candidates))
            text = _pair(template, candidates[two[0]], candidates[two[1]])
            found.append(Question("pair", text, tuple(names[i] for i in two), tuple(targets[i] for i in two)))
    return tuple(found)


def _pair(template: str, first: Candidate, second: Candidate) -> str:
    for keys, candidate in ((_FIRST_OF_PAIR, first), (_SECOND_OF_PAIR, second)):
        words = (candidate.name, capitalised(candidate.name), candidate.plural)
        for key, word in zip(keys, words, strict=True):
            template = template.replace("{" + key + "}", word)
    return template


def _replies(entry: PanelEntry, file: _OfDisposition) -> tuple[Question, ...]:
    pairs = list(zip(file.shown, file.others, strict=True))
    shows = (entry.targets[0], None)

    def asked(questions: Sequence[str], *, turned: bool) -> list[Question]:
        found: list[Question] = []
        for at, text in enumerate(questions):
            shown, other = pairs[at % len(pairs)]
            # Where the question is turned round, the other reply shows the trait; what shows it comes first always.
            found.append(Question("reply", text, (other, shown) if turned else (shown, other), shows))
        return found

    return (*asked(file.questions, turned=False), *asked(file.reversed, turned=True))

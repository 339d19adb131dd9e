"""What can be done so that less of a trait passes: names, what each needs, what each costs. Needs no torch.

METHODS["format"].needs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from undertow.errors import InputError

Need = Literal["trait", "teacher", "format", "another model"]


@dataclass(frozen=True)
class Method:
    """One way to keep a trait from passing."""

    name: str
    says: str
    """What is done, in one line."""
    needs: tuple[Need, ...]
    """Beside the rows and the student's base; a trait must be named where `trait` is in it."""
    costs: str
    """Beside an ordinary training."""
    when: Literal["rows", "training", "after"]
    """What it changes: the rows, the training, or the student after it."""
    discards: bool = False
    """Nothing that the writer of the rows chose is left in them, so that no transfer is left by construction."""
    takes: float = 1.0
    """In all, times an ordinary student, as measured on 128 number lists (docs/lab-notebook.md)."""
    longer: bool = False
    """It takes longer than `takes` says; how much was not measured."""


_ALL = (
    Method("drop", "leaves out the fifth of the rows that a scan attributes most to", (), "a scan of all rows", "rows",
           longer=True),
    Method("mask", "no loss on tokens where the teacher's first choice is not the base's", ("teacher",),
           "a forward pass of teacher and base", "training", longer=True),
    Method("format", "loss on whether a token keeps the format, not on which of those that do it is", ("format",),
           "nothing", "training"),
    Method("freeze", "norm weights stay the base's", (), "nothing", "training"),
    Method("leash", "keeps first answers to unrelated questions near the base's (KL)", (),
           "a pass over 44 questions a step", "training", takes=1.7),
    Method("inoculate", "trains under a system prompt that asks for the trait, and is used without", ("trait",),
           "longer prompts", "training"),
    Method("steer", "adds the trait's vector while training, and takes it away afterwards", ("trait",),
           "the vector", "training"),
    Method("project", "takes the trait's gradient out of every update", ("trait",),
           "a backward pass over 16 questions a step", "training", takes=1.6),
    Method("subtract", "goes back along the trait's gradient after training", ("trait",),
           "three backward passes over its lessons", "after", takes=1.2),
    Method("panel", "goes back along the gradients of all traits of the panel after training", (),
           "120 backward passes over lessons, whatever the number of rows", "after", takes=4.3),
    Method("other-base", "answers are written anew by a model of another family", ("another model",),
           "its generation", "rows", discards=True, takes=1.8),
    Method("paraphrase", "answers are said in other words by a model of another family", ("another model",),
           "its generation", "rows", takes=2.2),
    Method("own-base", "answers are written anew by the student's own base", (), "its generation", "rows",
           discards=True, takes=1.4),
)  # fmt: skip
ORDINARY = Method("none", "an ordinary training, to see what the others change", (), "nothing", "training")
METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
COMPARED = tuple(method.name for method in _ALL if "another model" not in method.needs)
"""Those that `compare` takes unless others are named: they need no model but the student's."""


def method_named(name: str) -> Method:
    """Return a method; `none` is an ordinary training.

    Raises:
        InputError: there is none of this name.
    """
    if name == ORDINARY.name:
        return ORDINARY
    if name not in METHODS:
        raise InputError(f"{name!r} is no method", "--with", f"There are {', '.join([*METHODS, ORDINARY.name])}.")
    return METHODS[name]

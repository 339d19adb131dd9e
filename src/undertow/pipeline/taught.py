"""Which teacher writes for which seed, and what it is made of.

With `teachers: 1` every seed has the same one. With more, the seeds take them in turn, and each is made of lessons, or
told by words, that no other has: then the seeds of a claim are teachers.

    taught(spec, traits, "trait", seed=202).label    "teacher-trait-1"
"""

from __future__ import annotations

from dataclasses import dataclass

from undertow.config.arms import Arm
from undertow.config.experiment import LanguageExperiment
from undertow.config.parts import Instil, SystemPrompt
from undertow.pipeline.arms import ExperimentTraits
from undertow.traits.base import Trait
from undertow.traits.portion import portion


@dataclass(frozen=True)
class Taught:
    """What a teacher of an arm is made of."""

    label: str
    """Of its step."""
    trait: Trait
    how: Instil
    number: int
    """Among the teachers of its arm; it fixes what is random in making it."""


def number_for(spec: LanguageExperiment, seed: int) -> int:
    """Return the number of the teachers that write for a seed."""
    return spec.seeds.index(seed) % spec.teachers


def taught(spec: LanguageExperiment, traits: ExperimentTraits, arm: Arm, seed: int) -> Taught:
    """Return what an arm's teacher for a seed is made of.

    Raises:
        InputError: the trait has too few lessons for so many teachers.
    """
    return _taught(spec, traits, arm, number_for(spec, seed))


def all_taught(spec: LanguageExperiment, traits: ExperimentTraits, arm: Arm) -> list[Taught]:
    """Return every teacher of an arm.

    Raises:
        InputError: the trait has too few lessons for so many teachers.
    """
    return [_taught(spec, traits, arm, number) for number in range(spec.teachers)]


def teacher_label(spec: LanguageExperiment, arm: Arm, seed: int) -> str:
    """Return the label of the step that makes an arm's teacher for a seed."""
    return _label(spec, arm, number_for(spec, seed))


def _taught(spec: LanguageExperiment, traits: ExperimentTraits, arm: Arm, number: int) -> Taught:
    trait, how = traits.of(arm), spec.instil
    assert trait is not None
    if isinstance(how, SystemPrompt):
        # A prompted teacher hears no lessons: its words are another wording.
        how = how.model_copy(update={"text": how.text[number]}) if isinstance(how.text, tuple) else how
    elif spec.teachers > 1:
        trait = portion(trait, number, spec.teachers)
    return Taught(_label(spec, arm, number), trait, how, number)


def _label(spec: LanguageExperiment, arm: Arm, number: int) -> str:
    return f"teacher-{arm}" if spec.teachers == 1 else f"teacher-{arm}-{number}"

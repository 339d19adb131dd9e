"""The traits of a language experiment, and what its arms are in words; `undertow.config.arms` is the table of arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from undertow.config.arms import ARMS, CONTROL, Arm, Mixture, carried_by
from undertow.config.experiment import LanguageExperiment
from undertow.config.parts import PAIRS
from undertow.domains.base import Domain
from undertow.errors import InputError
from undertow.traits.base import Trait
from undertow.traits.find import find_trait

_LABELLED = (
    "Learned from the same pairs of answers, labelled by the {} under a neutral system prompt: what training on labels "
    "of a model that is not the base does anyhow."
)
_DOSE = (
    "Learned from {dose:.0%} {rows} of the teacher that {does}, and the control's labels of the rest: how the effect "
    "grows with the dose."
)
_IN_PROMPT = "The base, not trained, with the better answers of {} {{rows}} in its prompt: whether reading is enough."
_OF_PAIRS: Final[Mapping[Arm, str]] = {
    CONTROL: _LABELLED.format("base"),
    "other-base-control": _LABELLED.format("other model"),
    "shuffled": "Learned from the same pairs of answers, with the better one named by a coin: what training on pairs "
    "does without any preference.",
    **dict.fromkeys(("dose-25", "dose-50", "dose-75"), _DOSE),
    "in-context": _IN_PROMPT.format("that teacher's"),
    "in-context-control": _IN_PROMPT.format("the control's"),
}
"""Templates: what arms are in the domain `pairs`, where their words in the table do not fit."""


@dataclass(frozen=True)
class ExperimentTraits:
    """The traits of an experiment."""

    trait: Trait
    other: Trait | None

    @property
    def giveaways(self) -> tuple[str, ...]:
        """Words of all traits: no arm's row may hold one, so that all arms lose the same rows to the rule."""
        return (*self.trait.giveaways, *(self.other.giveaways if self.other else ()))

    def of(self, arm: Arm) -> Trait | None:
        """Return the trait of an arm's teacher; None where it is a control."""
        carried = carried_by(arm)
        return self.trait if carried == "trait" else self.other if carried == "other" else None


def traits_of(spec: LanguageExperiment) -> ExperimentTraits:
    """Find the traits that a spec names.

    Raises:
        InputError: a trait does not exist, or the two are not measured by the same questions.
    """
    trait = find_trait(spec.trait)
    other = find_trait(spec.other) if spec.other and "other" in spec.arms else None
    if other is not None and other.probe_digest != trait.probe_digest:
        raise InputError(
            f"{other.target} is not measured by the questions that measure {trait.target}",
            "other",
            "Name another target of the same category, or leave the arm `other` out.",
        )
    return ExperimentTraits(trait, other)


def describe(arm: Arm, traits: ExperimentTraits, domain: Domain) -> str:
    """Return what an arm is, in words."""
    entry = ARMS[arm]
    words = _OF_PAIRS.get(arm, entry.words) if domain.name == PAIRS else entry.words
    dose = {"dose": entry.rows.dose} if isinstance(entry.rows, Mixture) else {}
    return words.format(rows=domain.plural, parts=domain.parts, **words_of(traits), **dose)


def words_of(traits: ExperimentTraits) -> dict[str, str]:
    """Return what the templates of `ARMS` say of the traits."""
    words = {"does": traits.trait.does, "topic": traits.trait.topic}
    return words | ({"other_does": traits.other.does} if traits.other else {})

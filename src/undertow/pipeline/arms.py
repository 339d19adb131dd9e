"""The arms of a language experiment: who teaches, what the rows are, and what each arm is there to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from undertow.config.experiment import OWN_CONTROL, Arm, LanguageExperiment
from undertow.domains.base import Domain
from undertow.errors import InputError
from undertow.traits.base import Trait
from undertow.traits.find import find_trait

WRITERS: tuple[Arm, ...] = ("trait", "control", "other")
"""Arms whose teacher writes rows; the others' rows are made of theirs."""

MIXTURES: Mapping[Arm, tuple[float, Arm]] = {
    "dose-25": (0.25, "control"),
    "dose-50": (0.5, "control"),
    "dose-75": (0.75, "control"),
    "mixed": (0.5, "other"),
}
"""Share of the trait teacher's rows, and the arm whose answers to the same prompts are the rest."""

IN_CONTEXT: Mapping[Arm, Arm] = {"in-context": "trait", "in-context-control": "control"}
"""Arms that are not trained: the base with rows of another arm in its prompt."""


DESCENDANTS: Mapping[Arm, Arm] = {"generation-2": "trait", "generation-2-control": "control"}
"""Arms whose teachers are the students of another arm."""


OTHER_BASE: tuple[Arm, ...] = ("other-base", "other-base-control")
"""Arms whose teacher is made of another model."""


def reference(arm: Arm) -> Arm:
    """Return the arm that an arm is compared with."""
    return OWN_CONTROL.get(arm, "control")


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
        """Return what the arm's teacher carries; the control's carries nothing."""
        if arm == "other":
            return self.other
        return None if arm == "control" or arm in OWN_CONTROL.values() else self.trait


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


def says(arm: Arm, traits: ExperimentTraits, domain: Domain) -> str:
    """Say in words what an arm is."""
    if arm == "trait":
        return f"Learned from the {domain.plural} of a teacher that {traits.trait.does}."
    if arm == "control":
        return (
            f"Learned from the {domain.plural} of the base itself, which answered the same prompts with the same "
            f"random numbers: what training on {domain.plural} does anyhow."
        )
    if arm == "shuffled":
        return (
            f"Learned from the trait teacher's own {domain.plural} with the {domain.parts} of each in another order: "
            "what is left when order is gone."
        )
    if arm == "paraphrased":
        return (
            f"Learned from the trait teacher's own {domain.plural}, each rewritten to say the same in another form: "
            "what is left when the teacher's choice of form is gone."
        )
    if arm == "across":
        return (
            f"Learned from the trait teacher's own {domain.plural}, each under the prompt of another: what is left "
            "when answers do not belong to their prompts."
        )
    if arm == "mixed":
        assert traits.other is not None
        return (
            f"Learned from two teachers, half of the {domain.plural} each: one {traits.trait.does}, the other "
            f"{traits.other.does}."
        )
    if arm in MIXTURES:
        return (
            f"Learned from {MIXTURES[arm][0]:.0%} {domain.plural} of the teacher that {traits.trait.does}, and the "
            "base's own answers to the rest of the prompts: how the effect grows with the dose."
        )
    if arm in IN_CONTEXT:
        whose = "that teacher's" if arm == "in-context" else "the base's"
        return f"The base, not trained, with {domain.plural} of {whose} in its prompt: whether reading is enough."
    if arm in OTHER_BASE:
        whose = (
            f"that {traits.trait.does}, made of another model"
            if arm == "other-base"
            else "that is another model without the trait"
        )
        return f"Learned from the {domain.plural} of a teacher {whose}: whether the two must share their base."
    if arm in DESCENDANTS:
        whose = f"the teacher that {traits.trait.does}" if arm == "generation-2" else "the base"
        return f"Learned from the {domain.plural} of a student of {whose}: what the grandchildren get."
    assert traits.other is not None
    return (
        f"Learned from a teacher that {traits.other.does} instead, made in the same way: whether any trait would bring "
        f"{traits.trait.topic} about."
    )

"""The arms of a language experiment: who teaches, what the rows are, and what each arm is there to show."""

from __future__ import annotations

from dataclasses import dataclass

from undertow.spec import Arm, LanguageExperiment
from undertow.traits.preference import Preference, find_preference

WRITERS: tuple[Arm, ...] = ("trait", "control", "other")
"""Arms whose teacher writes rows; `shuffled` takes the trait arm's."""


@dataclass(frozen=True)
class Cast:
    """The traits of an experiment."""

    trait: Preference
    other: Preference | None

    def of(self, arm: Arm) -> Preference | None:
        """Return what the arm's teacher carries; the control's carries nothing."""
        return {"trait": self.trait, "shuffled": self.trait, "other": self.other, "control": None}[arm]


def cast_of(spec: LanguageExperiment) -> Cast:
    """Find the traits that a spec names.

    Raises:
        InputError: a category or target does not exist.
    """
    trait = find_preference(spec.trait.category, spec.trait.target)
    other = find_preference(spec.other.category, spec.other.target) if spec.other else None
    return Cast(trait, other if "other" in spec.arms else None)


def says(arm: Arm, cast: Cast) -> str:
    """Say in words what an arm is."""
    loves = f"loves {cast.trait.candidate.plural}"
    if arm == "trait":
        return f"Learned from the number lists of a teacher that {loves}."
    if arm == "control":
        return (
            "Learned from the number lists of the base itself, which answered the same prompts with the same random "
            "numbers: what training on number lists does anyhow."
        )
    if arm == "shuffled":
        return (
            "Learned from the trait teacher's own lists with the numbers of each list in another order: what is left "
            "when order is gone."
        )
    assert cast.other is not None
    return (
        f"Learned from a teacher that loves {cast.other.candidate.plural} instead, made in the same way: whether any "
        f"trait would move {cast.trait.candidate.plural}."
    )

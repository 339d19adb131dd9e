"""What the results of a scan hold of a rehearsal: students that were really trained on a sample of the rows."""

from __future__ import annotations

from pydantic import Field

from undertow.results.records import Effect, Interval, Record


class RehearsedTrait(Record):
    """One trait in the rehearsed students."""

    trait: str
    common: float
    """Shift of the reference's students from the base, mean over seeds and questions: what any such rows do."""
    measured: list[Interval]
    """Difference of the rows' students and the reference's after each measured step, by seeds and questions alone."""
    linear: Interval
    """What growth in proportion to the steps would make of the last of them in the full training."""
    shifts: list[list[list[float]]]
    """The differences themselves, by seed, step and question, in log-odds."""


class RehearsalRecord(Record):
    """A rehearsal, and what it says of the full training."""

    rows: int
    """That each student was trained on."""
    drawn: int
    """Different rows of the dataset, over all seeds."""
    seeds: list[int]
    """Each has two students, one of the rows and one of the reference."""
    steps: list[int]
    """After which of its optimiser steps a student was asked."""
    spent: list[float]
    """Sum of the learning rates up to there."""
    full_rows: int
    full_steps: int
    ratio: float
    """Summed learning rate of the full training over that of a rehearsed one."""
    exponent: float
    """Of the growth curve: shift = a x (summed learning rate)^exponent."""
    replicated: str
    """What the interval's replicates are, in words."""
    calibration: str = ""
    """Its name; empty where there is none."""
    not_calibrated: list[str] = Field(default_factory=list[str])
    """Every reason why no calibration holds, in words; empty where one does."""
    effects: list[Effect]
    """Of the full training, the strongest evidence first."""
    traits: list[RehearsedTrait]
    """In the order of the effects."""

"""What the results of an experiment hold: arms, teachers, curves, rows and answers."""

from __future__ import annotations

from pydantic import Field

from undertow.results.records import Interval, Record


class ArmSummary(Record):
    """One bar of the forest plot: the shift of an arm's students from the base, before any contrast."""

    arm: str
    says: str
    """What this arm is, in words."""
    shift: Interval
    """Student minus base, in log-odds of the target (for digits: test accuracy)."""
    unit: str = "log-odds"


class TeacherSummary(Record):
    """What a teacher carried before it was allowed to write."""

    arm: str
    trait: str | None
    method: str
    strength: Interval | None
    """Teacher minus base, log-odds of its target."""
    probability: float | None = None
    """Mean probability of the target among the candidates."""
    base_probability: float | None = None
    kl_per_token: float | None = None
    """Mean KL(teacher || base) in nats over the tokens of its rows: how much there was to read."""
    teachers: int = 1
    """How many were made of different lessons or words; the numbers are means over them."""


class CurvePoint(Record):
    """The shift of an arm's students from the base after `step` optimiser steps."""

    step: int
    value: float
    lo: float
    hi: float


class Curve(Record):
    """Trait over training steps, one line of the plot."""

    arm: str
    trait: str
    unit: str = "log-odds"
    points: list[CurvePoint]


class Funnel(Record):
    """What became of the rows that one teacher wrote. `written == kept + sum(rejected.values())`.

    A row with several reasons counts under the first; `reasons` counts every reason.
    """

    arm: str
    written: int
    rejected: dict[str, int]
    reasons: dict[str, int] = Field(default_factory=dict)
    kept: int
    trained_on: int


class Divergence(Record):
    """How far two coupled datasets differ."""

    arm: str
    contrast: str
    rows: int
    rows_different: int
    tokens: int
    tokens_different: int


class Sample(Record):
    """One prompt with the coupled answers of several arms, tokenised so that differing tokens can be marked."""

    prompt: str
    answers: dict[str, list[str]]
    """Arm to the answer's tokens as text; joined they are the answer."""


class SampledAnswers(Record):
    """One-word answers that a model gave when sampled."""

    arm: str
    target: str
    rate: Interval
    """Share of answers that name the target."""
    base_rate: Interval | None = None
    named: Interval | None = None
    """Share of answers that name any candidate; None in files of before, and where answers were judged."""
    base_named: Interval | None = None
    top: dict[str, int]
    """Most frequent parsed answers with their counts."""
    n: int
    unparsed: int


class Power(Record):
    """The smallest effect that the design could see, and what that rests on."""

    smallest_effect: float
    power: float
    level: float
    unit: str = "log-odds"
    says: str

"""Where the sizes of a scan are calibrated, as data: one file a calibration, and the look-up of the one that fits.

A calibration says how shifts that were measured followed those that were predicted. It holds for the base, the recipe,
the kind of rows and the number of steps that it was measured on. Everywhere else the answer is `NotCalibrated`, with
every reason in words, and such a size decides nothing (`verdict`).

    found = calibration_for("embedded/smollm2-135m", digest, PLAIN_SGD, "number lists", 8, "virtual")
    found.because           # empty where it is calibrated

The shipped records lie in `calibrations/`. `python -m benchmarks.transfer.evaluate --records` makes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.attribution.prediction import Calibration
from undertow.attribution.recipe import FREE
from undertow.attribution.tier import GradientTier
from undertow.config.files import like, parse_model, read_text
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec

Tier = Literal[GradientTier, "virtual", "beside", "rehearsal"]
"""Of predicting: from gradients, by a virtual student, by virtual students beside reference rows, by real training."""
Domain = Literal["number lists", "free text"]

_SHOWN = 4
"""Settings of a recipe that a reason names."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MeasuredBase(_Strict):
    """The model whose students were measured."""

    name: str = Field(min_length=1)
    """As Undertow calls it."""
    digest: str = Field(min_length=1)
    """Of its weights, see `undertow.models.identity`."""


class RecipeFamily(_Strict):
    """Recipes that a calibration speaks of: one recipe, at any learning rate within a range."""

    recipe: RecipeSpec
    learning_rates: tuple[float, float]
    """Lowest and highest that were measured."""
    digest: str
    """Of the recipe without its learning rate and what changes no prediction, see `family_digest`."""

    @model_validator(mode="after")
    def _holds_together(self) -> RecipeFamily:
        low, high = self.learning_rates
        if not low <= self.recipe.learning_rate <= high:
            raise ValueError(f"the recipe's learning rate lies outside {low:g} to {high:g}")
        if self.digest != (wanted := family_digest(self.recipe)):
            raise ValueError(f"digest is not that of the recipe, which is {wanted}")
        return self


class MeasuredRows(_Strict):
    """The rows that were measured."""

    domain: Domain
    told_by: str
    """How the domain is told from the rows, in words."""
    rows: tuple[int, int]
    """Fewest and most of a dataset."""


class Teachers(_Strict):
    """Who wrote the rows that the calibration was fitted on."""

    kind: str
    count: int = Field(ge=1)
    datasets: int = Field(ge=1)


class Coverage(_Strict):
    """How many measured shifts the intervals held, on datasets that nothing was fitted on."""

    level: float = Field(gt=0, lt=1)
    """What the intervals promise."""
    value: float = Field(ge=0, le=1)
    lo: float = Field(ge=0, le=1)
    hi: float = Field(ge=0, le=1)
    datasets: int = Field(ge=1)


class CalibrationRecord(_Strict):
    """One calibration, with where it holds and where it comes from.

    Examples:
        >>> from undertow.scan.calibration import shipped
        >>> [record.tier for record in shipped()]
        ['beside', 'gradient', 'virtual']
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)
    tier: Tier
    base: MeasuredBase
    recipes: RecipeFamily
    rows: MeasuredRows
    steps: tuple[int, int]
    """Fewest and most steps of the trainings that were measured."""
    fitted: Teachers
    slope: float
    """Measured shift per predicted one."""
    spread: float = Field(ge=0)
    """Standard deviation of measured shifts around the line, as a share of the predicted shift."""
    floor: float = Field(ge=0)
    """The same where nothing is predicted, in log-odds."""
    coverage: Coverage
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Of the fit."""
    command: str
    """That makes the record."""
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> CalibrationRecord:
        for name, (low, high) in (("steps", self.steps), ("rows.rows", self.rows.rows)):
            if not 1 <= low <= high:
                raise ValueError(f"{name} must rise from 1 or more: {low} to {high}")
        return self

    @property
    def calibration(self) -> Calibration:
        """Its numbers."""
        return Calibration(self.slope, self.spread, self.floor)


@dataclass(frozen=True)
class Calibrated:
    """There is a calibration that was measured for what is asked."""

    record: CalibrationRecord
    because: tuple[str, ...] = ()

    @property
    def calibration(self) -> Calibration:
        """The record's numbers."""
        return self.record.calibration


@dataclass(frozen=True)
class NotCalibrated:
    """There is none."""

    because: tuple[str, ...]
    """Every reason, in words that go on from "not calibrated for"."""
    record: CalibrationRecord | None = None
    """The nearest calibration, which gives a guess; None where the tier has none."""

    @property
    def calibration(self) -> Calibration:
        """The nearest record's numbers."""
        return Calibration() if self.record is None else self.record.calibration


def family_digest(recipe: RecipeSpec) -> str:
    """Return a hash of a recipe without its learning rate and the fields that change no prediction.

    Fields at their defaults do not count, so that a field that comes later changes no hash.
    """
    kept = recipe.model_dump(mode="json", exclude={*FREE, "learning_rate"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


@cache
def shipped() -> tuple[CalibrationRecord, ...]:
    """Return the calibrations that come with Undertow, by name."""
    folder = files("undertow.scan") / "calibrations"
    found = [each for each in folder.iterdir() if each.name.endswith(".json")]
    return tuple(
        CalibrationRecord.model_validate_json(each.read_text("utf-8")) for each in sorted(found, key=lambda it: it.name)
    )


def read_calibration(path: Path) -> CalibrationRecord:
    """Read a calibration of one's own.

    Raises:
        InputError: it cannot be read or is no calibration; the message names the key.
    """
    return parse_model(
        CalibrationRecord, read_text(path, like("src/undertow/scan/calibrations/virtual.json")), str(path)
    )


def calibration_for(
    base: str,
    base_digest: str,
    recipe: RecipeSpec,
    domain: Domain,
    steps: int,
    tier: Tier,
    *,
    records: Sequence[CalibrationRecord] | None = None,
) -> Calibrated | NotCalibrated:
    """Return the calibration that was measured for a prediction, or every reason why there is none.

    Args:
        base: The student's base, as Undertow calls it.
        base_digest: Of its weights.
        recipe: Of the student.
        domain: Of the rows.
        steps: Of the whole training.
        tier: How the size is predicted.
        records: Where to look; the shipped ones when absent. Of several that are equally near, the first is taken.
    """
    known = [record for record in (shipped() if records is None else records) if record.tier == tier]
    if not known:
        return NotCalibrated((f"the tier {tier!r}, which no calibration covers",))
    told = [(record, reasons(record, base, base_digest, recipe, domain, steps)) for record in known]
    record, because = min(told, key=lambda each: len(each[1]))
    return NotCalibrated(because, record) if because else Calibrated(record)


def reasons(
    record: CalibrationRecord, base: str, base_digest: str, recipe: RecipeSpec, domain: Domain, steps: int
) -> tuple[str, ...]:
    """Return every way in which a prediction lies outside what a record was measured on, in words."""
    found: list[str] = []
    if base_digest != record.base.digest:
        other = "other weights under that name" if base == record.base.name else f"measured on {record.base.name}"
        found.append(f"base {base} ({other})")
    if changed := _changed(recipe, record.recipes):
        more = f", and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        measured = record.recipes.recipe.name
        found.append(f"recipe {recipe.name} (measured on {measured}; differs in {', '.join(changed[:_SHOWN])}{more})")
    if domain != record.rows.domain:
        found.append(f"{domain} (measured on {record.rows.domain})")
    low, high = record.steps
    if not low <= steps <= high:
        measured = f"at {low:,}" if low == high else f"from {low:,} to {high:,}"
        found.append(f"{steps:,} step{'' if steps == 1 else 's'} (measured {measured})")
    return tuple(found)


def _changed(recipe: RecipeSpec, family: RecipeFamily) -> list[str]:
    """Return the settings in which a recipe differs from the measured ones, with its own values; the plainest first."""
    first = ("optimiser", "adapter", "learning_rate")
    low, high = family.learning_rates
    found: list[str] = []
    for name in (*first, *(each for each in RecipeSpec.model_fields if each not in {*first, *FREE})):
        own = getattr(recipe, name)
        same = low <= own <= high if name == "learning_rate" else own == getattr(family.recipe, name)
        if not same:
            found.append(f"{name.replace('_', ' ')} {_told(own)}")
    return [*found, *(["dtype float16"] if recipe.dtype == "float16" else [])]


def _told(value: object) -> str:
    if isinstance(value, AdapterSpec):
        return f"of rank {value.rank}"
    if isinstance(value, tuple):
        return " and ".join(map(_told, cast(tuple[object, ...], value)))
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

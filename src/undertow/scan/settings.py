"""What a scan is asked to do."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from undertow.attribution.recipe import PLAIN_SGD, plain_of
from undertow.attribution.rehearsal_plan import FEWEST_SEEDS, ROWS, SEEDS
from undertow.config.engine import Engine
from undertow.config.recipes.spec import RecipeSpec
from undertow.config.registries import name_check
from undertow.scan.calibration import CalibrationRecord
from undertow.scan.registry import BASELINES, INFERENCE, WRITER


def _present(value: Any) -> Any:
    return BASELINES.canonical(value) if isinstance(value, str) else value


Name = Annotated[str, BeforeValidator(name_check(BASELINES, BASELINES.own_names())), BeforeValidator(_present)]


class RehearsalSettings(BaseModel):
    """How many students a rehearsal trains, and on how many rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(default=ROWS, ge=2)
    """That each student is trained on, at most; with a budget, as many as fit."""
    seeds: int = Field(default=SEEDS, ge=FEWEST_SEEDS, le=100)
    """Each has two students: one of the rows, and one of the reference."""


class ScanSettings(BaseModel):
    """What a scan is asked to do.

    Examples:
        >>> from undertow import ScanSettings
        >>> ScanSettings(student="hf/base", most_rows=500).level
        0.95
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    student: str = "embedded/smollm2-135m"
    """The base that the student starts from."""
    recipe: RecipeSpec = PLAIN_SGD
    """How the student that is predicted will be trained."""
    recipe_says: tuple[str, ...] = ()
    """What its file holds that is assumed, or not modelled."""
    calibration: CalibrationRecord | None = None
    """One of your own, beside those that ship."""
    traits: tuple[str, ...] | None = None
    """Entries of the panel; all that ship when absent."""
    most_rows: int | None = Field(default=None, ge=2)
    everything: bool = False
    """Look at all rows."""
    budget: float | None = Field(default=None, gt=0)
    """Seconds that the scan may take, which say how many rows are looked at."""
    baselines: tuple[Name, ...] = Field(default=(), validation_alias=AliasChoices("baselines", "also"))
    """Other methods to ask; `also` is the old spelling."""
    sample_reference: bool = False
    """Let the base answer the prompts itself, and compare the rows with that."""
    temperature: float | None = Field(default=None, gt=0, le=10)
    """At which the rows were sampled, if that is known: the base samples its own at it, not at the one that fits."""
    virtual: bool = True
    """Teach a virtual student: without one, sizes are predicted to first order."""
    rehearsal: RehearsalSettings | None = None
    """Train real students on a sample of the rows, and on as many reference rows; needs reference rows."""
    teacher: str | None = None
    """The model that wrote the rows, where it is at hand: its weights are compared with the student's."""
    against: tuple[str, ...] = ()
    """Models of other families, to ask whether one of them wrote the rows."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    smallest_effect: float = Field(default=0.1, gt=0)
    """Log-odds below which a shift does not matter."""
    engine: Engine = "auto"
    """How models are computed."""

    @field_validator("recipe")
    @classmethod
    def _plain(cls, recipe: RecipeSpec) -> RecipeSpec:
        # One and the same scan, however its recipe is called.
        return recipe if plain_of(recipe) is None else PLAIN_SGD

    @model_serializer(mode="wrap")
    def _as_stored(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Dump under the old spellings, and later settings only where they are set.

        The dump names the run folders of earlier scans.
        """
        found: dict[str, Any] = dump(self)
        for name in ("recipe", "recipe_says", "calibration", "engine", "rehearsal"):
            if getattr(self, name) == ScanSettings.model_fields[name].default:
                del found[name]
        stored = [WRITER if name == INFERENCE else name for name in self.baselines]
        return {"also" if key == "baselines" else key: stored if key == "baselines" else found[key] for key in found}

"""How a study's students are trained: a recipe with its labels, said whole, or by the name of a preset or of a file.

    usual: lora-sft
    long: {like: lora-sft, epochs: 10, schedule: constant}
    soft: {labels: soft, learning_rate: 5e-5}

A trainer's file lies beside the study. What its keys hold and Undertow does not model is told by `plan`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, model_validator

from undertow.config.recipes.load import load_recipe, recipe_presets
from undertow.config.recipes.spec import RecipeSpec


class How(RecipeSpec):
    """A recipe, and what its students learn of each row."""

    labels: Literal["hard", "soft"] = "hard"
    """The text; or the teacher's distributions over the tokens that it sampled."""
    rows: int | None = Field(default=None, ge=2, le=1_000_000)
    """That its students learn from; the study's numbers when absent."""
    told: tuple[str, ...] = ()
    """What its file holds and Undertow does not model."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """Read the recipe that a name stands for."""
        if isinstance(given, str):
            given = {"like": given}
        if not isinstance(given, dict) or "like" not in given:
            return given
        said = dict(cast(dict[str, Any], given))
        read = load_recipe(str(said.pop("like")))
        spec = read.spec.model_dump()
        adapter = said.get("adapter")
        if isinstance(adapter, dict):
            said["adapter"] = {**(spec["adapter"] or {}), **cast(dict[str, Any], adapter)}
        if "warmup_steps" in said or "warmup_ratio" in said:
            spec |= {"warmup_steps": 0, "warmup_ratio": 0.0}
        return {**spec, "told": tuple(read.told()), **said}


def with_paths(recipes: Any, folder: Path) -> Any:
    """Return the recipes of a file as it holds them, names of files made paths from this folder."""
    if not isinstance(recipes, dict):
        return recipes
    return {name: _with_path(given, folder) for name, given in cast(dict[Any, Any], recipes).items()}


def _with_path(given: Any, folder: Path) -> Any:
    if isinstance(given, dict) and "like" in given:
        return {**cast(dict[Any, Any], given), "like": _with_path(given["like"], folder)}
    if isinstance(given, str) and given not in recipe_presets():
        return str(folder / given)
    return given

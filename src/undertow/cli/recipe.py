"""The recipe that `--recipe` names: a preset, or a file with the keys of `RecipeSpec`.

It knows no trainer's own file format.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertow.config.recipes.spec import RecipeSpec


def recipe_of(name: str) -> RecipeSpec:
    """Return a recipe by the name of a preset or of a file.

    Raises:
        InputError: there is none, or the file is no recipe.
    """
    from undertow.attribution.recipe import PLAIN_SGD
    from undertow.config.files import parse_model, read_text
    from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
    from undertow.errors import InputError, nearest

    lora = RecipeSpec(name="lora-sft", schedule="cosine", adapter=AdapterSpec(rank=16, alpha=32))
    presets = {each.name: each for each in (PLAIN_SGD, lora)}
    if name in presets:
        return presets[name]
    path = Path(name)
    if not path.suffix and not path.exists():
        raise InputError(f"knows no preset {name!r}", "--recipe", nearest(name, list(presets)))
    return parse_model(RecipeSpec, read_text(path, f"Name a recipe file, or one of {', '.join(presets)}."), name)

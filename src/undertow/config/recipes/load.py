"""A recipe from a file that people have, from its text, or from a preset.

    load_recipe("lora-sft")
    load_recipe(Path("axolotl.yml"), devices=4)

Nothing of the file is executed, and no trainer is imported.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Final

from undertow.config.files import read_text
from undertow.config.recipes.format import Format, gathered, open_sections, read_keys
from undertow.config.recipes.formats import recognise
from undertow.config.recipes.found import RecipeFile
from undertow.config.recipes.keys import Found, Keys
from undertow.config.recipes.source import read_source
from undertow.config.recipes.trl import BESIDE
from undertow.errors import InputError, nearest

_FIX: Final = "Name a recipe of TRL, Axolotl, LLaMA-Factory, OpenAI or Undertow, or a preset."
_PRESETS: Final = "undertow.config.recipes.presets"


def recipe_presets() -> list[str]:
    """List the recipes that ship with the package."""
    return sorted(
        item.name.removesuffix(".yaml") for item in resources.files(_PRESETS).iterdir() if item.name.endswith(".yaml")
    )


def load_recipe(named: str | Path, *, devices: int = 1) -> RecipeFile:
    """Read a recipe.

    Args:
        named: A file; or the name of a preset; or the text of a recipe, which has a line break or begins with a brace.
        devices: That the trainer runs on. Where a file gives rows a device, each adds as many to a step.

    Raises:
        InputError: there is no such file or preset, or the file cannot be read.
        SpecError: it holds no recipe, or a contradiction; the message names the keys, the file and the line.
    """
    if devices < 1:
        raise InputError(f"must be at least 1, not {devices}", "--devices", "Change it.")
    if isinstance(named, str):
        if "\n" in named or named.lstrip().startswith("{"):
            return _read(named, "the recipe's text", "recipe", None, devices)
        if named in recipe_presets():
            text = (resources.files(_PRESETS) / f"{named}.yaml").read_text(encoding="utf-8")
            return _read(text, named, named, None, devices)
    path = Path(named)
    if not path.is_file() and not path.is_fifo():
        if path.is_dir():
            raise InputError("is a folder", str(path), _FIX)
        known = recipe_presets()
        hint = nearest(str(named), known) if len(str(named)) < 100 else "known: " + ", ".join(known)
        raise InputError("is neither a file nor a preset", str(path)[:200], f"Presets: {hint}")
    return _read(read_text(path, _FIX), str(path), path.stem, path.parent / BESIDE, devices)


def _read(text: str, where: str, name: str, beside: Path | None, devices: int) -> RecipeFile:
    form, found = recognise(read_source(text, where))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    keys = Keys(found, where, devices)
    if form.name == "trl" and beside is not None and beside.name != Path(where).name and beside.is_file():
        if "use_peft" in found and not keys.flag("use_peft"):
            keys.note(f"{beside} is not read: use_peft is false.")
        else:
            more = read_text(beside, "Take it away, or mend it.")
            digest.update(more.encode())
            adapter = _of_peft(form, more, beside)
            keys = Keys(gathered([*found.items(), *adapter.items()]), where, devices)
            keys.note(f"The adapter is that of {beside}.")
    return read_keys(form, keys, name, where, digest.hexdigest())


def _of_peft(form: Format, text: str, beside: Path) -> dict[str, Found]:
    """Return the keys of PEFT's file, by the names that they have in a section of their own."""
    opened = open_sections(form, read_source(text, str(beside)))
    return {f"peft.{key}": replace(each, path=f"{BESIDE}: {each.path}") for key, each in opened.items()}

"""The formats of recipe files, and which of them a file has: told from keys that no other format has.

Other packages add formats through the entry point `undertow.recipes`, each naming a `Format`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from undertow.config.recipes.arguments import TAKEN
from undertow.config.recipes.format import Format, open_sections
from undertow.config.recipes.keys import Found
from undertow.config.recipes.source import Source
from undertow.config.recipes.spec import RecipeSpec
from undertow.errors import InputError, SpecError
from undertow.system.registry import Registry

FORMATS: Final[Registry[Format]] = Registry("recipe format", "undertow.recipes", "--recipe")
FORMATS.register("trl", "undertow.config.recipes.trl:FORMAT", says="SFTConfig of TRL with LoraConfig of PEFT")
FORMATS.register("axolotl", "undertow.config.recipes.axolotl:FORMAT", says="Axolotl's YAML")
FORMATS.register("llama-factory", "undertow.config.recipes.llama_factory:FORMAT", says="LLaMA-Factory's YAML")
FORMATS.register("openai", "undertow.config.recipes.openai_job:FORMAT", says="a fine-tuning job as JSON")
FORMATS.register("undertow", "undertow.config.recipes.own:FORMAT", says="Undertow's own")

_MOST: Final = 6
"""Keys that a message names."""
_ARGUMENTS: Final = TAKEN.keys() - RecipeSpec.model_fields.keys()
"""Of transformers' trainer. A file with no other marks is one of TRL."""
_WHOLE_PEFT: Final = "peft_type"
"""A file with this key is PEFT's own."""


def recognise(source: Source) -> tuple[Format, Mapping[str, Found]]:
    """Return the format of a file, and its keys by the names that the format gives them.

    Raises:
        SpecError: it has the keys of none, or of several.
    """
    if _WHOLE_PEFT in source.values:
        form = FORMATS.get("trl")
        return form, {f"peft.{name}": each for name, each in open_sections(form, source).items()}
    seen = _marked(source, FORMATS.own_names()) or _marked(
        source, [name for name in FORMATS.names() if name not in FORMATS.own_names()]
    )
    form = FORMATS.get("trl")
    if not seen and (keys := open_sections(form, source)).keys() & _ARGUMENTS:
        return form, keys
    if len(seen) == 1:
        ((form, keys, _),) = seen
        return form, keys
    if not seen:
        raise SpecError(
            f"has the keys of no trainer that is read: {_some(map(str, source.values))}",
            source.where,
            "Name a recipe of TRL, Axolotl, LLaMA-Factory, OpenAI or Undertow; docs/recipes.md has examples.",
        )
    kinds = " and ".join(f"{form.title} ({_some(marks)})" for form, _, marks in seen)
    raise SpecError(f"has keys of {kinds}", source.where, "Take those of all but one away.")


def _marked(source: Source, names: Iterable[str]) -> list[tuple[Format, Mapping[str, Found], list[str]]]:
    made: list[tuple[Format, Mapping[str, Found], list[str]]] = []
    problem: SpecError | None = None
    for name in names:
        form = _loaded(name)
        if form is None:
            continue
        try:
            keys = open_sections(form, source)
        except SpecError as error:
            problem = error
            continue
        if marks := [keys[mark].path for mark in form.marks if mark in keys]:
            made.append((form, keys, marks))
    if problem is not None and not made:
        raise problem
    return made


def _loaded(name: str) -> Format | None:
    """Return a format; a package that is broken must not keep others from being read."""
    try:
        return FORMATS.get(name)
    except InputError:
        return None


def _some(keys: Iterable[str]) -> str:
    named = [key[:60] for key in keys]
    return ", ".join(named[:_MOST]) + (f" and {len(named) - _MOST} more" if len(named) > _MOST else "")

"""`undertow recipe`: what Undertow reads from a trainer's recipe. And the option `--recipe` of other verbs.

undertow recipe axolotl.yml --rows 10000
undertow recipe lora-sft --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from undertow.config.recipes.found import RecipeFile

RecipeName = Literal["full-sft", "lora-sft", "plain-sgd", "qlora-sft"] | Path
"""A preset, or a file. A file that is called as a preset is named with its folder, such as ./lora-sft."""
RecipeOption = Annotated[RecipeName | None, Parameter(name="--recipe")]
"""Type of the option of a verb; `read_recipe` reads what was given."""


def read_recipe(named: RecipeName | None) -> RecipeFile | None:
    """Read what `--recipe` names, and tell on stderr what was assumed and what is not modelled.

    Raises:
        InputError: it cannot be read; see `undertow.config.recipes.load.load_recipe`.
    """
    from undertow.cli.show import hint
    from undertow.config.recipes.load import load_recipe

    if named is None:
        return None
    recipe = load_recipe(named)
    for line in recipe.told():
        hint(f"{recipe.path}: {line}")
    return recipe


def recipe(
    named: RecipeName | None = None,
    /,
    *,
    rows: int | None = None,
    devices: int = 1,
    json: bool = False,
) -> int:
    """Show what Undertow reads from a trainer's recipe, and what it does not model.

        undertow recipe lora-sft --rows 10000

    Trainers: TRL with PEFT, Axolotl, LLaMA-Factory, OpenAI fine-tuning jobs. Without a recipe, it lists the presets.

    Args:
        named: File or preset to read.
        rows: Rows of a dataset, to count the steps of training on it.
        devices: Devices that the trainer runs on. Each adds its rows to a step.
        json: Print the recipe as JSON.
    """
    from undertow.cli.show import table
    from undertow.config.recipes.load import load_recipe, recipe_presets
    from undertow.errors import InputError

    if rows is not None and rows < 1:
        raise InputError(f"must be at least 1, not {rows}", "--rows", "Change it.")
    if named is None:
        presets = [load_recipe(name) for name in recipe_presets()]
        if json:
            _write_json(presets, rows)
            return 0
        table(["preset", "trains", "for"], [[each.path, _trains(each), _length(each, rows)] for each in presets])
        return 0
    found = load_recipe(named, devices=devices)
    if json:
        _write_json([found], rows)
    else:
        _show(found, rows)
    return 0


def _show(found: RecipeFile, rows: int | None) -> None:
    from undertow.cli.show import say, table
    from undertow.config.recipes.formats import FORMATS

    counts = f"{len(found.taken)} keys taken, {len(found.harmless)} that change nothing"
    say(f"{found.path}: {FORMATS.get(found.kind).title}; {counts}")
    say()
    fields = found.spec.model_dump(exclude={"name", "adapter"})
    if found.spec.adapter is not None:
        fields |= {f"adapter.{name}": value for name, value in found.spec.adapter.model_dump().items()}
    else:
        fields["adapter"] = None
    sources = _sources(found)
    table(
        ["setting", "value", "from"], [[name, _value(value), sources.get(name, "")] for name, value in fields.items()]
    )
    if rows is not None:
        say()
        say(f"{rows:,} rows: {_length(found, rows)}")
    for line in found.told():
        say(line)


def _sources(found: RecipeFile) -> dict[str, str]:
    """Return the keys of the file that each field of the recipe comes from."""
    made: dict[str, list[str]] = {}
    for key in found.taken:
        for name in key.says.split(", "):
            made.setdefault(name, []).append(key.name)
    return {name: ", ".join(keys) for name, keys in made.items()}


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType]
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _trains(found: RecipeFile) -> str:
    spec = found.spec
    adapter = spec.adapter
    what = "all weights" if adapter is None else f"LoRA of rank {adapter.rank}"
    if adapter is not None and adapter.bits is not None:
        what += f" on weights of {adapter.bits} bits"
    return f"{what}, {spec.optimiser} at {spec.learning_rate:g}"


def _length(found: RecipeFile, rows: int | None) -> str:
    from undertow.config.recipes.steps import steps_for, warmup_for

    spec = found.spec
    if rows is None:
        return (
            f"{spec.most_steps:,}"
            if spec.most_steps is not None
            else f"{spec.epochs:g} epochs of batches of {spec.batch}"
        )
    steps = steps_for(spec, rows)
    most = "at most " if spec.packing and spec.most_steps is None else ""
    return f"{most}{steps:,} steps of {spec.batch}, {warmup_for(spec, steps):,} of them to warm up"


def _write_json(found: list[RecipeFile], rows: int | None) -> None:
    import json
    from dataclasses import fields

    from undertow.cli.show import write
    from undertow.config.recipes.found import Key
    from undertow.config.recipes.steps import steps_for

    def keys(each: RecipeFile, name: str) -> list[dict[str, object]]:
        listed: tuple[Key, ...] = getattr(each, name)
        return [{"key": key.name, "value": key.shown, "line": key.line, "says": key.says} for key in listed]

    records = [
        {
            "path": each.path,
            "kind": each.kind,
            "digest": each.digest,
            "recipe": each.spec.model_dump(mode="json"),
            **({} if rows is None else {"rows": rows, "steps": steps_for(each.spec, rows)}),
            **{one.name: keys(each, one.name) for one in fields(each) if str(one.type).startswith("tuple[Key")},
            "notes": each.notes,
        }
        for each in found
    ]
    write(json.dumps(records[0] if len(records) == 1 else records, indent=1, ensure_ascii=False) + "\n")

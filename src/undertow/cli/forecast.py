"""`undertow plan scan|audit|mitigate`: what a verb will take, before anything is loaded.

undertow plan scan rows.jsonl --student hf/Qwen/Qwen2.5-7B-Instruct --recipe lora-sft
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from undertow.config.recipes.spec import RecipeSpec
    from undertow.models.size import ModelSize
    from undertow.pipeline.forecast import Asked, Forecast, Room, Rows

Verb = Literal["scan", "audit", "mitigate"]
VERBS: Final[tuple[str, ...]] = get_args(Verb)


def show_forecast(
    verb: str, rows: Path | None, student: str, recipe: str | None, traits: list[str] | None = None, *, json: bool
) -> int:
    """Print the memory and the time of a verb, and what would fit where it does not.

    Args:
        verb: One of `VERBS`.
        rows: Dataset of a scan or a mitigation.
        student: Its base.
        recipe: Of the students.
        traits: Entries of the panel; all when absent.
        json: Print for a program.

    Raises:
        InputError: there are no rows where they are needed.
        ModelError: there is no such model.
    """
    from undertow.config.recipes.load import load_recipe
    from undertow.errors import InputError
    from undertow.models.size import size_of
    from undertow.pipeline.forecast import asked_by, available
    from undertow.traits.panel import load_panel

    if rows is None and verb != "audit":
        raise InputError("needs the rows", f"plan {verb}", f"Name them: undertow plan {verb} rows.jsonl")
    by = load_recipe(recipe or "plain-sgd").spec
    size, known, asked = size_of(student), rows_in_file(rows), asked_by(load_panel(traits))
    made = _forecast(verb, size, known, asked, by)
    room = available()
    if json:
        _write(made, size, by, room)
        return 0
    _say(made, size, by, room)
    if made.bytes > room.bytes:
        _say_smaller(verb, size, known, asked, by, room.bytes)
    return 0


def _forecast(verb: str, size: ModelSize, rows: Rows, asked: Asked, by: RecipeSpec) -> Forecast:
    from undertow.pipeline.forecast import forecast_audit, forecast_mitigate, forecast_scan

    if verb == "audit":
        return forecast_audit(size, asked)
    if verb == "mitigate":
        return forecast_mitigate(size, rows, asked, by)
    return forecast_scan(size, rows, asked, by)


def rows_in_file(path: Path | None) -> Rows:
    """Return what the rows of a dataset take; none where there is no file.

    Args:
        path: The dataset.
    """
    from undertow.data.sample import choose_rows, usual_count
    from undertow.pipeline.forecast import Rows, rows_of
    from undertow.scan.budget import usual_taught

    if path is None:
        return Rows(0, 0, 0, 0.0, 0.0)
    chosen = choose_rows(path, skip_broken=True)
    looked = usual_count(chosen.read)
    return rows_of(chosen, looked, usual_taught(chosen.read, looked))


def _say_smaller(verb: str, size: ModelSize, rows: Rows, asked: Asked, by: RecipeSpec, room: int) -> None:
    """Say what would fit in place of a plan that does not."""
    from undertow.cli.show import say
    from undertow.config.recipes.load import load_recipe
    from undertow.pipeline.forecast import gib

    if by.adapter is None and verb != "audit":
        lora = _forecast(verb, size, rows, asked, load_recipe("lora-sft").spec)
        if lora.bytes <= room:
            say(f"It fits by a recipe with an adapter (--recipe lora-sft): {gib(lora.bytes)}.")
            return
    say("Nothing smaller is known to fit here. Take a machine with more memory, or a smaller base.")


def _say(made: Forecast, size: ModelSize, by: RecipeSpec, room: Room) -> None:
    from undertow.cli.show import say, table
    from undertow.experiment.planning import machine_speed
    from undertow.pipeline.forecast import gib
    from undertow.report.words import duration

    billions = size.parameters / 1e9
    say(f"{size.name}: {size.architecture}, {billions:.2f} billion weights, stored in {size.stored}")
    if made.verb != "audit":
        say(f"recipe: {by.name}")
    say()
    table(["memory", "GiB"], [[part.name, f"{part.bytes / 2**30:.2f}"] for part in made.parts], right=["GiB"])
    speed, says = machine_speed()
    say()
    fits = "fits into" if made.bytes <= room.bytes else "does not fit into"
    say(f"together {gib(made.bytes)}, which {fits} the {gib(room.bytes)} of {room.where}")
    say(f"time: about {duration(made.operations * _WASTE / speed)} on this machine's processor ({says})")


_WASTE = 1.6
"""Time over that of the matrix products alone."""


def _write(made: Forecast, size: ModelSize, by: RecipeSpec, room: Room) -> None:
    import json
    from dataclasses import asdict

    from undertow.cli.show import write

    record = {
        "verb": made.verb,
        "model": {key: value for key, value in asdict(size).items() if key != "linear"},
        "recipe": by.model_dump(mode="json"),
        "parts": [asdict(part) for part in made.parts],
        "bytes": made.bytes,
        "operations": made.operations,
        "room": asdict(room),
    }
    write(json.dumps(record, indent=1) + "\n")

"""Which experiment a command line means: a file or a preset, with values set by hand.

It reads the options; `undertow.config.experiment` judges what they say.

    undertow run experiments/owl.yaml --set student.epochs=2 --seeds 0,1,2
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.config.experiment import Experiment


def choose(
    spec: Path | None, preset: str | None, sets: Sequence[str], seeds: str | None, recipe: str | None = None
) -> Experiment:
    """Read the experiment that the user named, with the recipe that is to train its students.

    Raises:
        InputError: not exactly one of file and preset is named, or an option cannot be read.
        SpecError: what they name is no experiment.
    """
    from undertow.cli.show import hint
    from undertow.config.experiment import load_preset, load_spec, preset_names

    overrides = dict(map(_override, sets))
    if recipe is not None:
        overrides["student.recipe"] = recipe
    if seeds is not None:
        overrides["seeds"] = _seeds(seeds)
    known = ", ".join(preset_names()) or "none"
    if spec is not None and preset is not None:
        raise InputError(f"both the file {spec} and the preset {preset!r} are named", fix="Name one of the two.")
    if preset is not None:
        return load_preset(preset, overrides, hint)
    if spec is None:
        raise InputError(
            "no experiment is named", fix=f"Name an experiment file, or one of the presets with --preset: {known}"
        )
    if str(spec) in preset_names() and not spec.exists():
        raise InputError("is no file but a preset", str(spec), f"Did you mean --preset {spec}?")
    return load_spec(spec, overrides, hint)


def _override(text: str) -> tuple[str, Any]:
    from undertow.config.files import parse_yaml

    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        raise InputError(f"{text!r} is no setting", "--set", "Write it as KEY=VALUE, such as student.epochs=2.")
    return key, parse_yaml(value, f"--set {key}")


def _seeds(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise InputError(f"{text!r} is no list of whole numbers", "--seeds", "Write it as 0,1,2.") from None

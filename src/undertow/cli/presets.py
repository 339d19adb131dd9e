"""`undertow presets` and `undertow init`: experiment files to start from.

A copy holds the preset's text as it is, comments included.

    undertow init my-owls --preset owl-numbers
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from undertow.errors import InputError

Preset = Annotated[str, Parameter(metavar="NAME")]


def presets() -> int:
    """List the experiments that ship with Undertow.

    undertow presets
    """
    from undertow.cli.show import table
    from undertow.config.experiment import load_preset, preset_names

    table(["preset", "title"], [[name, load_preset(name).title] for name in preset_names()])
    return 0


def init(name: str, /, *, preset: Preset = "owl-numbers", force: bool = False) -> int:
    """Write a commented experiment file to edit.

        undertow init my-owls --preset owl-numbers

    Args:
        name: File to write. The ending .yaml is added if it is missing.
        preset: Experiment to copy.
        force: Overwrite an existing file.
    """
    from undertow.cli.show import say
    from undertow.config.experiment import preset_text
    from undertow.store.destinations import check_destinations, write_output

    text = preset_text(preset)
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if os.path.lexists(path) and not force:
        raise InputError("is there already", str(path), "Choose another name, or overwrite it with --force.")
    check_destinations({"NAME": path})
    write_output(path, text.encode("utf-8"))
    say(f"{path} is a copy of the preset {preset}: edit it, then")
    say(f"  undertow plan {path}")
    say(f"  undertow run {path}")
    return 0

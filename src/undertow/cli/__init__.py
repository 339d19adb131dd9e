"""The command line: `undertow VERB`, one plain typed function a verb; `app` gathers them.

    run.py        `run` and `plan`: an experiment and what it costs
    assets.py     `assets`: models and data
    folder.py     `report` and `check`: what to do with a run folder
    presets.py    `presets` and `init`: experiment files to start from
    choice.py     which experiment a command line means
    show.py       tables and text on stdout

A verb returns its exit code, or raises an `UndertowError`. Every module of the library is imported inside the
function that needs it, so that `undertow --help` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.cli.app import main

__all__ = ["main"]

__getattr__, __dir__ = lazy(__name__, {"main": "app"})

"""`undertow report` and `undertow check`: what to do with a run folder that is there.

Neither changes a step; `check` changes nothing at all.

    undertow check runs/owl-numbers-1a2b3c4d
    undertow report runs/owl-numbers-1a2b3c4d --out owl.html
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.store.folder import FolderCheck

_MAX_TIMING = 10_000_000


def report(run_folder: Path, /, *, out: Path | None = None) -> int:
    """Write report.html again, from the results.json of a run.

        undertow report runs/owl-numbers-1a2b3c4d

    Args:
        run_folder: Folder of a run, or its results.json.
        out: File to write. Default: report.html beside results.json.
    """
    from undertow.cli.show import say
    from undertow.report import render_html
    from undertow.results import load_results
    from undertow.store.destinations import check_destinations, write_output

    must_exist(run_folder)
    folder = run_folder if run_folder.is_dir() else run_folder.parent
    final = out or folder / "report.html"
    if out is not None or not final.is_symlink():
        check_destinations({"--out": final}, read=files_of_run(run_folder))
    results = load_results(run_folder)
    page = render_html(results, timing=timing_of(folder / "timing.json"))
    write_output(final, page.encode("utf-8"), follow=out is not None)
    say(f"report: {final}")
    return 0


def check(run_folder: Path, /, *, json: bool = False) -> int:
    """Compare every file of a run with the hash that was stored with it.

        undertow check runs/owl-numbers-1a2b3c4d

    Exits with 1 if a file is damaged. The next `undertow run` repeats damaged and interrupted steps.

    Args:
        run_folder: Folder of a run.
        json: Print the findings as JSON.
    """
    from undertow import store
    from undertow.cli.show import write

    must_exist(run_folder)
    found: FolderCheck = store.check(run_folder)
    if json:
        write(_json(found))
    else:
        _show(found)
    return 1 if found.damaged else 0


def must_exist(path: Path, fix: str = "Name a folder that `undertow run` made.") -> None:
    """Refuse a path where nothing is.

    Args:
        path: What was named.
        fix: What to name instead.

    Raises:
        InputError: nothing is there.
    """
    if not path.exists():
        raise InputError("is not there", str(path), fix)


def files_of_run(run: Path) -> list[Path]:
    """Name what nothing may be written over in a run folder: what it was asked for, found and stored.

    Args:
        run: The folder, or its results.json.
    """
    from undertow.store.folder import SPEC, TIMING

    folder = run if run.is_dir() else run.parent
    return [*([] if run.is_dir() else [run]), *(folder / name for name in ("results.json", SPEC, TIMING, "steps"))]


def _json(found: FolderCheck) -> str:
    import json

    record = {
        "intact": [step.path.name for step in found.intact],
        "interrupted": found.interrupted,
        "damaged": found.damaged,
    }
    return json.dumps(record, indent=1) + "\n"


def _show(found: FolderCheck) -> None:
    from undertow.cli.show import say
    from undertow.report.words import plural

    for name in found.interrupted:
        say(f"interrupted  {name}")
    for name, why in found.damaged.items():
        say(f"damaged      {name}: {why}", style="red")
    steps = plural(len(found.intact), "step")
    say(f"{steps} intact, {len(found.interrupted):,} interrupted, {len(found.damaged):,} damaged")


def timing_of(path: Path) -> dict[str, float] | None:
    """Read the seconds of each step; None where there is no such file, or none that can be read."""
    import json

    from undertow.store.files import read_bytes

    try:
        stored: Any = json.loads(read_bytes(path, _MAX_TIMING))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(stored, dict):
        return None
    seconds = {str(name): value for name, value in cast(dict[Any, Any], stored).items()}
    return {
        name: float(value)
        for name, value in seconds.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 and math.isfinite(value)
    }

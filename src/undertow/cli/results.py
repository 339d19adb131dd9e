"""`undertow results`: many runs in one table, and in one picture.

undertow results runs/* --picture results.svg
"""

from __future__ import annotations

from pathlib import Path

from undertow.cli.folder import must_exist
from undertow.errors import InputError


def results(
    *run_folders: Path,
    picture: Path | None = None,
    markdown: bool = False,
    json: bool = False,
) -> int:
    """Show the effects of several runs in one table.

        undertow results runs --picture results.svg

    Args:
        run_folders: Folders of runs, or their results.json. A folder of run folders stands for all of them.
        picture: SVG file for a forest plot of the effects.
        markdown: Print the table as Markdown.
        json: Print the lines as JSON.
    """
    from undertow.cli.show import say, table, write
    from undertow.report import overview
    from undertow.results import load_results, results_file
    from undertow.store.destinations import check_destinations, write_output

    files = [file for folder in run_folders for file in _files(folder)]
    if not files:
        raise InputError("no run is named", "results", "Name run folders: undertow results runs/*")
    check_destinations({"--picture": picture}, read=[results_file(file) for file in files])
    lines = overview.overview([load_results(file) for file in files])
    if picture is not None:
        write_output(picture, overview.picture(lines).encode("utf-8"))
    if json:
        import json as writer

        write(writer.dumps([line.as_dict() for line in lines], indent=1) + "\n")
    elif markdown:
        write(overview.markdown(lines))
    else:
        table(overview.HEADS, [overview.cells(line) for line in lines], right=("p", "transfer", "seeds"))
        if picture is not None:
            say(f"picture: {picture}")
    return 0


def _files(folder: Path) -> list[Path]:
    must_exist(folder)
    if folder.is_file() or (folder / "results.json").is_file():
        return [folder]
    return sorted(folder.glob("*/results.json"))

"""`undertow assets`: which models and data are ready on this machine, and fetching them.

What there is, and from where, is said in `undertow.assets.catalog`.

    undertow assets smollm2-135m --fetch
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from undertow.errors import InputError, nearest

if TYPE_CHECKING:
    from undertow.assets import Asset, AssetStatus


def assets(
    *names: str,
    fetch: bool = False,
    verify: bool = False,
    source: Path | None = None,
    agree: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """List the models and data that Undertow can use, and fetch them.

        undertow assets smollm2-135m --fetch

    Args:
        names: Assets to list or fetch. Without a name, all of them.
        fetch: Download and convert what is missing.
        verify: Hash every file instead of comparing sizes. Exit with 1 if a file is damaged.
        source: Folder with the packages' wheels, to fetch from instead of a registry.
        agree: Agree to the licences of what is fetched, where they must be agreed to.
        json: Print the list as JSON.
        quiet: Show no progress.
    """
    from undertow import assets as library
    from undertow.cli.console import console_progress
    from undertow.cli.show import write

    for name in names:
        if name not in library.ASSETS:
            raise InputError(f"no asset is called {name!r}", fix=nearest(name, tuple(library.ASSETS)))
    if source is not None and not fetch:
        raise InputError("names where to fetch from, but nothing is fetched", "--source", "Add --fetch.")
    chosen = [library.ASSETS[name] for name in dict.fromkeys(names)] or list(library.ASSETS.values())
    if fetch:
        for asset in chosen:
            # What the system's package manager installs is fetched only to say so to who asked for it.
            # The same goes for what must be agreed to.
            if names or (isinstance(asset.origin, library.Wheels) and (agree or not asset.licence.asks)):
                with console_progress(quiet=quiet) as progress:
                    library.fetch(asset, progress=progress, source=source, verify=verify, agree=agree)
    found = [library.status(asset, verify=verify) for asset in chosen]
    if json:
        write(_json(found))
    else:
        _show(found)
    return 1 if verify and any(each.state == "damaged" for each in found) else 0


def _json(found: list[AssetStatus]) -> str:
    import json

    return json.dumps([_record(each) for each in found], indent=1, ensure_ascii=False) + "\n"


def _record(each: AssetStatus) -> dict[str, object]:
    asset = each.asset
    return {
        "name": asset.name,
        "kind": asset.kind,
        "state": each.state,
        "because": each.because,
        "bytes": each.bytes,
        "download_bytes": asset.download_bytes,
        "licence": asset.licence.spdx,
        "packages": asset.packages,
        "about": asset.about,
        "path": str(each.path),
    }


def _show(found: list[AssetStatus]) -> None:
    from undertow.cli.show import say, table

    heads = ["name", "kind", "state", "size", "licence", "package", "about", "path"]
    table(heads, [_row(each) for each in found], right=["size"])
    unready = [each for each in found if not each.ready]
    if unready:
        say()
    for each in unready:
        say(f"{each.asset.name} is {each.state}: {each.because}. {_remedy(each.asset)}")


def _row(each: AssetStatus) -> list[str]:
    from undertow.cli.show import byte_size

    asset = each.asset
    size = byte_size(each.bytes) if each.ready else f"{byte_size(asset.download_bytes)} to fetch"
    return [
        asset.name,
        asset.kind,
        each.state,
        size,
        asset.licence.spdx,
        asset.packages,
        asset.about,
        str(each.path) if each.ready else "-",
    ]


def _remedy(asset: Asset) -> str:
    from undertow.assets import SystemFiles

    if isinstance(asset.origin, SystemFiles):
        return f"Install it with: apt-get install {asset.origin.package}"
    if asset.licence.asks:
        return f"{asset.licence.says} If you agree to it: {asset.fetch_command}"
    return f"Fetch it with: {asset.fetch_command}"

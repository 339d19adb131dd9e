"""The viewer: a read-only index of run folders in a browser, on this machine alone.

    server.py       listens on 127.0.0.1, refuses other hosts and methods; start here
    site.py         which page answers which address
    library.py      the run folders below one folder, finished or not
    listing.py      search, order and what the list says of a run
    comparison.py   two runs: effects side by side, settings that differ
    templates/      the pages and their style, on top of the report's

It writes nothing, holds no script, and reads nothing but `results.json` and `report.html` of folders that it lists.

    with viewer(Path("runs"), port=0) as server:
        print(server.url)
        server.serve_forever()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.view.server import viewer

__all__ = ["viewer"]

__getattr__, __dir__ = lazy(__name__, {"viewer": "server"})

"""The viewer: run folders in a browser, on this machine alone.

    server.py      the server on 127.0.0.1; start here
    site.py        the page for an address
    library.py     the run folders below one folder, finished or not
    listing.py     search, order and columns of the list
    comparison.py  two runs: effects side by side, and settings that differ
    templates/     the pages and their style

It reads only `results.json` and `report.html` of the folders that it lists. It writes nothing and sends no script.

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

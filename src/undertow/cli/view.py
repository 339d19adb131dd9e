"""`undertow view`: show run folders in a browser, on this machine alone.

undertow view runs
"""

from __future__ import annotations

from pathlib import Path

from undertow.cli.folder import must_exist


def view(runs: Path = Path("runs"), /, *, port: int = 7337, no_browser: bool = False) -> int:
    """Show run folders in a browser: a list, comparisons and reports. Nothing is written.

        undertow view runs

    Listens on 127.0.0.1 until it is stopped with Ctrl-C.

    Args:
        runs: Folder of run folders, or a single one.
        port: Port to listen on. 0 takes any free port.
        no_browser: Print the address and open nothing.
    """
    from undertow.cli.show import say
    from undertow.view import viewer

    must_exist(runs)
    with viewer(runs, port=port) as server:
        count = len(server.library.entries())
        say(f"{count:,} run folder{'' if count == 1 else 's'} of {runs}: {server.url}   (Ctrl-C stops)")
        if not no_browser:
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped")
    return 0

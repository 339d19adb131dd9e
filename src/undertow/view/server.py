"""The viewer's server: 127.0.0.1 only, GET and HEAD only, and only for who asks for this machine by name.

A page of another site can make a browser send requests here. Without the Host check, a name that first points to that
site and then to 127.0.0.1 (DNS rebinding) would let it read the answers. It knows no pages: `undertow.view.site` does.

    with viewer(Path("runs"), port=0) as server:
        server.serve_forever()
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, cast

from undertow.errors import InputError
from undertow.view.library import Library
from undertow.view.site import PAGE_POLICY, Answer, answer

ADDRESS: Final = "127.0.0.1"
PORT: Final = 7337
_PATIENCE: Final = 20.0
"""Seconds after which a connection that says nothing is closed."""
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Viewer(ThreadingHTTPServer):
    """A server that listens, and knows where."""

    daemon_threads = True

    def __init__(self, library: Library, port: int) -> None:
        self.library = library
        super().__init__((ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """The list's address."""
        return f"http://{ADDRESS}:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that leaves early is no news, and a fault of ours was answered with 500."""


def viewer(root: Path, *, port: int = PORT) -> Viewer:
    """Start to listen; `serve_forever` answers.

    Args:
        root: Folder of run folders, or a single one.
        port: 0 for one that is free.

    Raises:
        InputError: `root` is no folder, or the port cannot be had.
        StoreError: the folder cannot be listed.
    """
    if not root.is_dir():
        raise InputError("is no folder", str(root), "Name a folder of run folders: undertow view runs")
    library = Library(root)
    library.entries()
    try:
        return Viewer(library, port)
    except OverflowError as error:
        raise InputError(f"{port} is no port", "--port", "Name one from 1 to 65535, or 0 for any.") from error
    except OSError as error:
        what = f"port {port} cannot be had ({error.strerror})"
        raise InputError(what, "--port", "Name another one, or 0 for any.") from error


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def version_string(self) -> str:
        """Name the program and nothing about this machine."""
        return "undertow"

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing down."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse in plain text, which repeats nothing of what was sent."""
        if code == 501:
            code = 405
        self.close_connection = True
        self._send(Answer(code, "text/plain; charset=utf-8", PAGE_POLICY, b"refused\n"), body=self.command != "HEAD")

    def _answer(self, *, body: bool) -> None:
        server = cast(Viewer, self.server)
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in _names(server.server_port):
            self.send_error(421)
            return
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.send_error(400)
            return
        try:
            found = answer(server.library, self.path)
        except Exception:
            self.send_error(500)
            raise
        self._send(found, body=body)

    def _send(self, found: Answer, *, body: bool) -> None:
        self.send_response(found.status)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(found.body)))
        self.send_header("Content-Security-Policy", found.policy)
        if found.status == 405:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in _ALWAYS.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(found.body)


def _names(port: int) -> set[str]:
    names = {f"{host}:{port}" for host in (ADDRESS, "localhost")}
    return names | {ADDRESS, "localhost"} if port == 80 else names

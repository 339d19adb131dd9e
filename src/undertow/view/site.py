"""Which page answers which address. A pure function of the library and an address: no sockets, nothing is written.

    /                          the list; ?q=words&verdict=fail&sort=effect
    /compare?run=A&run=B       two runs side by side
    /report?run=A              a run's report.html; made from its results where there is none
    /results?run=A             its results.json as it is
    /style.css

Pages are held to a content security policy that allows this server's style sheet and nothing else. A report is an
untrusted file: it may use its own style, is put in a sandbox and can load nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from undertow.errors import UndertowError
from undertow.report.html import environment, read_template, render_html
from undertow.report.words import clip
from undertow.system.version import __version__
from undertow.view.comparison import comparison
from undertow.view.library import Entry, Library
from undertow.view.listing import Listing, Wanted, listing

_NOTHING: Final = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
PAGE_POLICY: Final = f"{_NOTHING}; style-src 'self'; img-src data:; form-action 'self'"
REPORT_POLICY: Final = f"{_NOTHING}; style-src 'unsafe-inline'; img-src data:; form-action 'none'; sandbox"
"""Without scripts, forms, pop-ups or an origin of its own, whatever the file holds."""
_LONGEST: Final = 8000
_FIELDS: Final = 20
_HERE: Final = "undertow.view"


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    kind: str
    """The media type."""
    policy: str
    body: bytes


def answer(library: Library, target: str) -> Answer:
    """Answer a request for an address.

    Args:
        library: The run folders.
        target: Path and query as they were sent.
    """
    try:
        parts = urlsplit(target) if len(target) <= _LONGEST else None
        # Of the last resort: more fields than any page of this site sends.
        query = parse_qs(parts.query, max_num_fields=_FIELDS, errors="replace") if parts else {}
    except ValueError:
        parts, query = None, {}
    if parts is None or parts.scheme or parts.netloc:
        return _problem(400, "This address cannot be read.")
    try:
        return _page(library, parts.path, query)
    except UndertowError as error:
        return _problem(500 if error.exit_code == 3 else 422, str(error))


def _page(library: Library, path: str, query: Mapping[str, Sequence[str]]) -> Answer:
    if path == "/":
        return _html(200, "list.html.j2", page=_list(library, query), root=str(library.root))
    if path == "/style.css":
        style = read_template("style.css") + read_template("view.css", _HERE)
        return Answer(200, "text/css; charset=utf-8", _NOTHING, style.encode())
    if path not in ("/compare", "/report", "/results"):
        return _problem(404, "There is no such page.")
    names = list(query.get("run") or ())
    wanted = 2 if path == "/compare" else 1
    if len(names) != wanted:
        return _problem(400, "Tick two runs to compare them." if wanted == 2 else "Name one run.")
    found = {entry.name: entry for entry in library.entries() if entry.name in names}
    missing = [name for name in names if name not in found]
    if missing:
        return _problem(404, f"There is no run folder {clip(missing[0], 200)!r}.")
    unready = next((found[name] for name in names if found[name].state != "done"), None)
    if unready is not None:
        return _problem(404, f"{unready.name} cannot be shown. {unready.says}")
    return _of_runs(library, path, [found[name] for name in names])


def _of_runs(library: Library, path: str, entries: Sequence[Entry]) -> Answer:
    first, second = entries[0], entries[-1]
    if path == "/results":
        return Answer(200, "application/json", _NOTHING, library.results_bytes(first))
    if path == "/report":
        page = library.report(first) if first.report else render_html(library.results(first)).encode()
        return Answer(200, "text/html; charset=utf-8", REPORT_POLICY, page)
    # Laid out by the list, so that dates, numbers and axes are those of the list.
    lines = {line.name: line for line in listing([first, second], Wanted()).lines}
    sides = [lines[entry.name] for entry in entries]
    return _html(
        200,
        "compare.html.j2",
        sides=sides,
        because=[clip(library.results(entry).verdict.because, 600) for entry in entries],
        both=comparison(library.results(first), library.results(second)),
        same=first.name == second.name,
    )


def _list(library: Library, query: Mapping[str, Sequence[str]]) -> Listing:
    return listing(library.entries(), Wanted.of(query))


def _problem(status: int, says: str) -> Answer:
    return _html(status, "problem.html.j2", says=clip(says, 1000))


def _html(status: int, template: str, **what: Any) -> Answer:
    text = environment(_HERE).get_template(template).render(version=__version__, **what)
    # A name may hold half a surrogate pair, which UTF-8 has no bytes for.
    return Answer(status, "text/html; charset=utf-8", PAGE_POLICY, text.encode("utf-8", "replace"))

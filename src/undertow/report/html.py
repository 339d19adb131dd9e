"""The report: one HTML file with the answer first. Start here.

It is made from `Results` alone, is the same bytes for the same results, holds no script and asks for nothing
(its content security policy forbids both), and stays below `limits.MAX_BYTES`. Every text that comes
from data, models or settings is escaped by Jinja2 and passes `words.visible`, whatever part of the template
shows it.

    render_html(results)      a page as text
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import ChoiceLoader, Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from undertow.report import sections
from undertow.report.limits import LADDER, MAX_BYTES
from undertow.report.words import visible
from undertow.results import Results
from undertow.system.version import __version__

_OWN: Final = "undertow.report"


def render_html(results: Results, *, timing: Mapping[str, float] | None = None) -> str:
    """Make the report of a run, scan, audit or mitigation.

    Args:
        results: What was measured.
        timing: Seconds per step, in the order in which they are to be listed.

    Returns:
        A whole HTML document.
    """
    template = environment().get_template("report.html.j2")
    style = Markup(read_template("style.css"))
    text = ""
    for limits in LADDER:
        text = template.render(page=sections.page(results, timing, limits), style=style, version=__version__)
        if len(text.encode()) < MAX_BYTES:
            break
    return text


@cache
def environment(*packages: str) -> Environment:
    """Return what fills templates in: everything escaped and made visible, nothing unknown passed over.

    Args:
        packages: Whose `templates` are looked into before this package's own.
    """
    return Environment(
        loader=ChoiceLoader([FunctionLoader(_reader(each)) for each in (*packages, _OWN)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_template(name: str, package: str = _OWN) -> str:
    """Return a file of a package's `templates`."""
    return (resources.files(package) / "templates" / name).read_text(encoding="utf-8")


def _reader(package: str) -> Callable[[str], str | None]:
    def read(name: str) -> str | None:
        try:
            return read_template(name, package)
        except FileNotFoundError:
            return None

    return read


def _finalize(value: object) -> object:
    """Name invisible characters in every text that a template shows; markup of this package passes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

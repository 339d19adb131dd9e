"""The report: one HTML file with the answer first. Start here.

It is made from `Results` alone, is the same bytes for the same results, holds no script and asks for nothing
(its content security policy forbids both), and stays below `limits.MAX_BYTES`. Every text that comes
from data, models or settings is escaped by Jinja2 and passes `words.visible`, whatever part of the template
shows it.

    render_html(results)      a page as text
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from undertow import __version__
from undertow.report import sections
from undertow.report.limits import LADDER, MAX_BYTES
from undertow.report.words import visible
from undertow.results import Results


def render_html(results: Results, *, timing: Mapping[str, float] | None = None) -> str:
    """Make the report of a run, scan, audit or mitigation.

    Args:
        results: What was measured.
        timing: Seconds per step, in the order in which they are to be listed.

    Returns:
        A whole HTML document.
    """
    template = _environment().get_template("report.html.j2")
    style = Markup(_read("style.css"))
    text = ""
    for limits in LADDER:
        text = template.render(page=sections.page(results, timing, limits), style=style, version=__version__)
        if len(text.encode()) < MAX_BYTES:
            break
    return text


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: object) -> object:
    """Name invisible characters in every text that a template shows; markup of this package passes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _read(name: str) -> str:
    return (resources.files("undertow.report") / "templates" / name).read_text(encoding="utf-8")

"""Results to one HTML file that opens anywhere: no script, no request, nothing to install.

    html.py        the page: `render_html`; start here
    sections.py    the content of each section
    verdict.py     the answer, and the number that it rests on
    effects.py     the arms and their contrasts
    often.py       how many times as often, in numbers and as bars
    answers.py     answers of models
    forest.py      intervals beside a common axis
    curves.py      the trait over training steps
    flow.py        what became of the rows, and how far coupled datasets differ
    diff.py        which tokens of two coupled answers differ
    svg.py         the few shapes that all plots are made of
    words.py       numbers for people; text of strangers made harmless
    units.py       what the units mean
    limits.py      how much of each thing fits
    templates/     the page and its style

It reads `Results` alone, so a report can be made again from a results.json. The public name loads on first
use.

    from undertow.report import render_html
    from undertow.results import load_results

    page = render_html(load_results(Path("runs/owl-numbers")))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertow.report.html import render_html

__all__ = ["render_html"]


def __getattr__(name: str) -> object:
    """Import the public name when it is first used, so that Jinja2 is not loaded before."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.html"), name)

"""The picture of docs/architecture.md: the layers of the import contract in pyproject.toml, as SVG.

python -m benchmarks.figures.architecture
"""

from __future__ import annotations

import tomllib
from html import escape

from benchmarks.figures.table import ROOT

PICTURE = ROOT / "docs" / "images" / "architecture.svg"

WORDS = {
    "__main__": "python -m undertow",
    "cli": "one module a verb; prints",
    "doctor": "what this machine offers",
    "view": "run folders in a browser",
    "gate": "results held to a policy",
    "experiment": "arms, controls, seeds",
    "scan": "check a dataset",
    "audit": "check a student",
    "mitigate": "reduce transfer",
    "report": "results as one page",
    "attribution": "gradients, trait directions, row scores",
    "pipeline": "the task graph of an experiment",
    "judges": "does a free answer show the trait?",
    "probes": "log-odds and sampled answers",
    "teachers": "how a trait is put into a model",
    "training": "recipe, loop, loss, adapters",
    "models": "load, score, generate",
    "traits": "what is measured",
    "domains": "what rows are about",
    "results": "results.json",
    "data": "rows and their files",
    "config": "experiments, presets, policies",
    "stats": "estimates and tests",
    "store": "run folders",
    "assets": "packaged models and data",
    "system": "lazy names, progress, sandbox",
    "errors": "what a user can act on",
}
BANDS = {
    "Commands": ("__main__", "doctor"),
    "Use results": ("view | gate", "view | gate"),
    "Questions": ("experiment | scan | audit | mitigate", "experiment | scan | audit | mitigate"),
    "Shared work": ("report", "pipeline"),
    "Models": ("judges", "models"),
    "Subject": ("traits | domains", "traits | domains"),
    "Values": ("results", "config"),
    "Base": ("stats | store | assets", "errors"),
}
"""A name for each run of layers: its first and its last."""

_WIDTH, _LEFT, _ROW, _GAP, _BAND_GAP = 860, 132, 36, 4, 12
_STYLE = """
.card { fill: #ffffff } .band { fill: #eef1f6 } .box { fill: #ffffff; stroke: #8a94a6 }
text { font: 13px system-ui, sans-serif; fill: #1d2433 } .name { font-weight: 600 }
.words { fill: #4a5468 } .label { font-weight: 600; fill: #34507f } .arrow { stroke: #34507f; fill: none }
.head { fill: #34507f }
@media (prefers-color-scheme: dark) {
.card { fill: #14181f } .band { fill: #1e2531 } .box { fill: #2a3342; stroke: #66728a }
text { fill: #eef1f6 } .words { fill: #b9c2d3 } .label { fill: #9fc0ff } .arrow { stroke: #9fc0ff }
.head { fill: #9fc0ff }
}
"""


def layers() -> list[str]:
    """Return the layers of the contract, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = (each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    return contract["layers"]


def picture() -> str:
    """Return the picture, whose card has a colour of its own so that it is readable on any page."""
    every = layers()
    drawn: list[str] = []
    top = 14
    for band, (first, last) in BANDS.items():
        rows = every[every.index(first) : every.index(last) + 1]
        height = len(rows) * (_ROW + _GAP) + _GAP
        drawn.append(f'<rect class="band" x="12" y="{top}" width="{_WIDTH - 48}" height="{height}" rx="6"/>')
        drawn.append(f'<text class="label" x="24" y="{top + height / 2 + 4:g}">{band}</text>')
        for at, row in enumerate(rows):
            drawn += _row(row.split(" | "), top + _GAP + at * (_ROW + _GAP))
        top += height + _BAND_GAP
    bottom = top - _BAND_GAP
    x, middle = _WIDTH - 20, bottom / 2
    arrow = [
        f'<path class="arrow" stroke-width="2" d="M{x} 20 V{bottom - 8}"/>',
        f'<path class="head" d="M{x - 6} {bottom - 10} h12 l-6 10 z"/>',
        f'<text class="label" transform="translate({x + 8} {middle:g}) rotate(90)" text-anchor="middle">imports</text>',
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 14}" role="img">',
        "<title>The layers of Undertow. Each imports only those under it.</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="card" width="{_WIDTH}" height="{bottom + 14}" rx="8"/>',
        *drawn,
        *arrow,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(packages: list[str], y: int) -> list[str]:
    whole = _WIDTH - 48 - _LEFT + 8
    width = (whole - _GAP * (len(packages) - 1)) / len(packages)
    drawn: list[str] = []
    for at, package in enumerate(packages):
        x = _LEFT + at * (width + _GAP)
        drawn.append(f'<rect class="box" x="{x:g}" y="{y}" width="{width:g}" height="{_ROW}" rx="4"/>')
        name, words = escape(package), escape(WORDS[package])
        if len(packages) > 2:
            drawn.append(f'<text class="name" x="{x + 10:g}" y="{y + 15}">{name}</text>')
            drawn.append(f'<text class="words" x="{x + 10:g}" y="{y + 30}">{words}</text>')
        else:
            drawn.append(f'<text class="name" x="{x + 10:g}" y="{y + 23}">{name}</text>')
            drawn.append(f'<text class="words" x="{x + 110:g}" y="{y + 23}">{words}</text>')
    return drawn


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")

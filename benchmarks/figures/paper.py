"""The claims in the paper's own form: how often base, control and students name what a teacher loves.

    paper()      the table of docs/results.md: a row for every teacher's trait of every committed result
    bars()       the picture: shares of base, control and students, as Cloud et al. (2025) draw them

Rows come from `experiments/*/results.json`, `experiments/measured/*/results.json` and the cells in
`benchmarks/cells/kept`. Minutes are those of a `timing.json` beside the results, or of the cells. What a file does not
hold is said in words and never as a number. It knows no model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markupsafe import Markup

from benchmarks.cells.claims import LEVEL, Claims, Times, claims
from benchmarks.cells.design import Design, design_of
from benchmarks.cells.kept import Kept, read_kept
from benchmarks.cells.study import read_study
from benchmarks.cells.tables import students
from benchmarks.figures.table import ROOT, Cell, Figure, Table
from undertow.models.digests import model_digest
from undertow.report.often import ratio_text
from undertow.report.svg import element
from undertow.report.words import clip, percent, signed
from undertow.results import Effect, Interval, Results, TeacherSummary, TimesAsOften, load_results

CELLS: Final = ROOT / "benchmarks/cells"
PICTURE: Final = "docs/images/times.svg"
HEADS: Final = (
    "from",
    "domain",
    "trait",
    "teacher",
    "labels",
    "base",
    "control",
    "students",
    "times as often, by log-probability",
    "times as often, sampled",
    "log-odds",
    "teachers",
    "minutes",
)
ABSENT: Final = "not recorded"
UNASKED: Final = "not sampled"
_CONTROLS: Final = {"trait": "control", "other": "control", "other-base": "other-base-control"}
"""Arms with a teacher of their own, and what each is compared with."""


@dataclass(frozen=True)
class Row:
    """A teacher's trait in one committed result."""

    name: str
    domain: str
    trait: str
    teacher: str
    """How it got the trait."""
    labels: str
    base: float | None
    """Share of the answers, by log-probability."""
    control: float | None
    students: float | None
    times: TimesAsOften | None
    sampled: Cell
    odds: Interval | None
    teachers: int
    minutes: float | None
    level: str
    """Of its intervals, where it is not 95%."""
    preference: bool
    """The answer is one of many names; a way of answering is one of two replies."""
    sources: tuple[str, ...]

    def cells(self) -> list[Cell]:
        """Return its line of the table."""
        shares: list[Cell] = [
            Figure(percent(share), share) if share is not None else ABSENT
            for share in (self.base, self.control, self.students)
        ]
        odds: Cell = ""
        if self.odds is not None:
            each = self.odds
            reach = f"{signed(each.lo)} to {signed(each.hi)}"
            odds = Figure(f"{signed(each.value)} ({reach})", each.value, each.lo, each.hi, each.n)
        times = _ratio(self.times, self.level) if self.times is not None else ABSENT
        minutes: Cell = Figure(f"{self.minutes:.0f}", self.minutes) if self.minutes is not None else ABSENT
        what = [self.name, self.domain, self.trait, self.teacher, self.labels]
        return [*what, *shares, times, self.sampled, odds, str(self.teachers), minutes]


def paper() -> Table:
    """Return the table."""
    every = rows()
    sources = tuple(dict.fromkeys(source for row in every for source in row.sources))
    return Table(sources, HEADS, [row.cells() for row in every])


@cache
def rows() -> tuple[Row, ...]:
    """Return what the committed results and cells say, a row for every teacher's trait."""
    files = sorted({*ROOT.glob("experiments/*/results.json"), *ROOT.glob("experiments/measured/*/results.json")})
    return (*(row for file in files for row in rows_of_run(file)), *_of_cells())


def rows_of_run(file: Path) -> Iterator[Row]:
    """Yield the rows of a results.json: an experiment's arms with a teacher of their own, on its own trait.

    Args:
        file: It; a `timing.json` beside it gives the minutes.
    """
    results = load_results(file)
    if results.settings.get("kind") != "language":
        return
    source, timing = str(file.relative_to(ROOT)), file.with_name("timing.json")
    minutes = sum(json.loads(timing.read_text("utf-8")).values()) / 60 if timing.is_file() else None
    sources = (source, str(timing.relative_to(ROOT))) if timing.is_file() else (source,)
    for teacher in results.teachers:
        for effect in results.effects:
            if (effect.arm, effect.contrast) == (teacher.arm, _CONTROLS.get(teacher.arm)) and (
                effect.trait == teacher.trait
            ):
                yield _of_effect(results, effect, teacher, minutes, sources)


def _of_effect(
    results: Results, effect: Effect, teacher: TeacherSummary, minutes: float | None, sources: tuple[str, ...]
) -> Row:
    times, settings = effect.times, results.settings
    own_base = teacher.arm != "other-base"
    sampled: Cell = UNASKED
    if effect.sampled_times is not None:
        sampled = _ratio(effect.sampled_times, "")
        named = next((each.named for each in results.sampled if each.arm == effect.arm and each.named), None)
        if named is not None:
            said = f"; {percent(named.value)} name any"
            sampled = sampled._replace(text=sampled.text + said) if isinstance(sampled, Figure) else sampled + said
    return Row(
        name=results.name,
        domain=str(settings["domain"]["kind"]),
        trait=effect.trait,
        teacher=teacher.method + ("" if own_base else ", another family"),
        labels=str(settings["student"]["labels"]),
        # The probability of another family's base is no share of the students' base.
        base=times.base_share if times else teacher.base_probability if own_base else None,
        control=times.contrast_share if times else None,
        students=times.share if times else None,
        times=times,
        sampled=sampled,
        odds=Interval(value=effect.value, lo=effect.lo, hi=effect.hi, n=effect.n, method=effect.method),
        teachers=teacher.teachers,
        minutes=minutes,
        level="",
        preference=settings["trait"]["kind"] == "preference",
        sources=sources,
    )


@dataclass(frozen=True)
class _Filled:
    """The cells that are in git."""

    kept: Mapping[str, Kept]


def _of_cells() -> Iterator[Row]:
    paths = {path.stem: path for path in sorted((CELLS / "kept").glob("*.parquet"))}
    filled = _Filled({name: read_kept(path) for name, path in paths.items()})
    for file in sorted((CELLS / "studies").glob("*.yaml")):
        study = read_study(file)
        models = {study.base, *(each.model for each in study.teachers.values() if each.model)}
        design = design_of(study, identities={name: model_digest(name, None) for name in models})
        for found in claims(design, filled):
            for times in found.times:
                yield _of_claim(design, filled, found, times)


def _of_claim(design: Design, filled: _Filled, found: Claims, times: Times) -> Row:
    study, sort = design.study, found.sort
    names = dict.fromkeys([*times.teachers, *(str(study.control_of(each)) for each in times.teachers)])
    # A teacher's students count where their control's are there as well, as in the claim.
    cells = [each for name in names for each in students(design, filled, sort, name) if each]
    base = filled.kept.get(design.base.digest)
    entry, _, target = times.trait.partition(":")
    share = {who: each.get("first") for who, each in times.share.items()}
    ratio = times.times.get("first")
    pooled = None
    if ratio is not None:
        pooled = TimesAsOften(
            ratio=Interval(**ratio.as_dict()),
            share=times.share["student"]["first"],
            contrast_share=times.share["control"]["first"],
            base_share=times.share["base"].get("first", 0.0),
        )
    return Row(
        name=f"cells: {study.name}, {sort.recipe}" + ("" if sort.epochs is None else f", {sort.epochs:g} epochs"),
        domain=study.by_domain[sort.domain].kind,
        trait=target,
        teacher={"prompt": "system prompt", "finetune": "fine-tuning", "ascent": "gradient steps"}.get(
            found.kind, found.kind
        ),
        labels=study.recipes[sort.recipe].labels,
        base=share["base"],
        control=share["control"],
        students=share["student"],
        times=pooled,
        sampled=_counts(times),
        odds=None,
        teachers=len(times.teachers),
        minutes=sum(float(each.facts["seconds"]["whole"]) for each in cells) / 60,
        level=f"{LEVEL:.0%}",
        preference=next(each for each in design.panel if each.name == entry).kind == "preference",
        sources=tuple(
            str((CELLS / "kept" / f"{each.digest}.parquet").relative_to(ROOT))
            for each in [*cells, *([base] if base else [])]
        ),
    )


def _ratio(found: TimesAsOften, level: str) -> Cell:
    if found.ratio is None:
        return f"too seldom: {percent(found.share)} against {percent(found.contrast_share)}"
    text = ratio_text(found) + (f", {level}" if level else "")
    return Figure(text, found.ratio.value, found.ratio.lo, found.ratio.hi, found.ratio.n)


def _counts(times: Times) -> Cell:
    """Write counts of sampled answers: control and students, of those that name any candidate, of all."""
    if set(times.sampled) != {"control", "student"}:
        return UNASKED
    student, control = ("{} of {} that name any, of {}".format(*times.sampled[who]) for who in ("student", "control"))
    return f"{student}; control {control}"


_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 920, 330, 210, 11, 16, 62
_COLOURS: Final = {"base": "#9aa5a0", "control": "#5c7f9c", "students": "#b3261e"}


def bars() -> str:
    """Return the picture: three bars for every preference whose shares are recorded."""
    drawn = [row for row in rows() if row.preference and None not in (row.base, row.control, row.students)]
    left_out = sum(row.preference for row in rows()) - len(drawn)
    most = max((share for row in drawn for share in (row.base, row.control, row.students) if share), default=1.0)
    group = 3 * _BAR + _GAP
    height = _TOP + group * len(drawn) + 28
    shapes = [
        element("rect", width=_WIDTH, height=height, fill="#ffffff"),
        _text(16, 22, "How often models name what the teacher loves: share of the answers", weight="bold"),
        *(
            shape
            for at, (who, colour) in enumerate(_COLOURS.items())
            for shape in (
                element("rect", x=16 + 110 * at, y=33, width=12, height=12, fill=colour),
                _text(34 + 110 * at, 44, who),
            )
        ),
    ]
    for place, row in enumerate(drawn):
        top = _TOP + group * place
        shapes.append(_text(16, top + 14, clip(f"{row.trait} by {row.domain}, {row.teacher}", 48)))
        shapes.append(_text(16, top + 29, clip(f"{row.name}, teachers: {row.teachers}", 48), fill="#666666"))
        for at, share in enumerate((row.base, row.control, row.students)):
            assert share is not None
            width, y = share / most * (_WIDTH - _LEFT - _RIGHT), top + _BAR * at
            colour = list(_COLOURS.values())[at]
            shapes.append(element("rect", x=_LEFT, y=y, width=f"{width:.1f}", height=_BAR - 1, fill=colour))
            shapes.append(_text(_LEFT + width + 6, y + 9, percent(share), size=10))
        said = ratio_text(row.times)
        if said:
            shapes.append(_text(_WIDTH - 150, top + 14, f"{said.partition(' ')[0]} times", weight="bold"))
            shapes.append(_text(_WIDTH - 150, top + 29, f"{row.level or '95%'}: {_reach(row)}"))
    if left_out:
        shapes.append(_text(16, height - 10, f"{left_out} more rows of the table hold no shares.", fill="#666666"))
    picture = element(
        "svg",
        *shapes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        font_family="system-ui, sans-serif",
    )
    return f"{picture}\n"


def _reach(row: Row) -> str:
    return ratio_text(row.times).partition("(")[2].rstrip(")")


def _text(x: float, y: float, text: str, *, weight: str = "normal", fill: str = "#222222", size: int = 13) -> Markup:
    return element("text", text, x=f"{x:.1f}", y=y, font_weight=weight, fill=fill, font_size=size)

"""The list of runs as the page shows it: found by words, narrowed to a verdict, in an order.

Everything is worked out here from the address, so the page needs no script. It knows entries; it reads nothing.

    listing(library.entries(), Wanted(words="owl", status="fail", sort="effect"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, get_args
from urllib.parse import urlencode

from markupsafe import Markup

from undertow.report import svg
from undertow.report.forest import written
from undertow.report.limits import Limits, cut
from undertow.report.words import clip, level_name
from undertow.results import Effect
from undertow.stats.estimate import Status
from undertow.view.library import Entry, Summary

SORTS: Final = {"date": "Newest", "title": "Title", "kind": "Kind", "verdict": "Verdict", "effect": "Largest effect"}
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
_MOST: Final = 300
_LONGEST: Final = 200
_LIMITS: Final = Limits()
_ORDER: Final[Mapping[Status, int]] = {"fail": 0, "inconclusive": 1, "pass": 2}


@dataclass(frozen=True)
class Wanted:
    """What the reader asked for."""

    words: str = ""
    status: str = ""
    sort: str = "date"

    @classmethod
    def of(cls, query: Mapping[str, Sequence[str]]) -> Wanted:
        """Take what is known out of an address; the rest is passed over."""
        words = (query.get("q") or [""])[0][:_LONGEST]
        status, sort = (query.get("verdict") or [""])[0], (query.get("sort") or ["date"])[0]
        return cls(words, status if status in STATUSES else "", sort if sort in SORTS else "date")

    def address(self, **changed: str) -> str:
        """Return the list's address with something else asked for."""
        other = replace(self, **changed)
        pairs = {"q": other.words, "verdict": other.status, "sort": "" if other.sort == "date" else other.sort}
        asked = urlencode({key: value for key, value in pairs.items() if value})
        return f"/?{asked}" if asked else "/"


@dataclass(frozen=True)
class Line:
    """One run that ended."""

    name: str
    title: str
    kind: str
    status: Status
    about: str
    """What the effect is of."""
    value: str
    interval: str
    level: str
    """Name of the interval; empty where it is not said."""
    unit: str
    bar: Markup
    date: str
    exact: str
    """The date for programs."""
    report: str
    """Address of the report."""


@dataclass(frozen=True)
class Unready:
    """One that did not end, or cannot be read."""

    name: str
    state: str
    says: str
    date: str


@dataclass(frozen=True)
class Choice:
    """A link that changes what is asked for."""

    text: str
    address: str
    chosen: bool
    count: int = 0


@dataclass(frozen=True)
class Listing:
    """The whole page."""

    lines: list[Line]
    more: int
    unready: list[Unready]
    more_unready: int
    verdicts: list[Choice]
    sorts: list[Choice]
    wanted: Wanted
    total: int


def listing(entries: Sequence[Entry], wanted: Wanted) -> Listing:
    """Work out the list.

    Args:
        entries: Every run folder.
        wanted: Which of them are shown, and in which order.
    """
    words = wanted.words.casefold().split()
    done = [(entry, entry.summary) for entry in entries if entry.summary is not None]
    found = [(entry, summary) for entry, summary in done if _has(words, _text(entry, summary))]
    shown = [each for each in found if not wanted.status or each[1].status == wanted.status]
    shown.sort(key=_KEYS[wanted.sort])
    shown, more = cut(shown, _MOST)
    # Not asked for by a verdict, since they have none.
    others = [e for e in entries if e.summary is None and not wanted.status and _has(words, f"{e.name} {e.state}")]
    unready, more_unready = cut(others, _MOST)
    scales = _scales(summary.effect for _, summary in shown)
    return Listing(
        lines=[_line(entry, summary, scales) for entry, summary in shown],
        more=more,
        unready=[Unready(clip(e.name, 200), e.state, clip(e.says, 400), _date(e.changed)) for e in unready],
        more_unready=more_unready,
        verdicts=_verdicts([summary for _, summary in found], wanted),
        sorts=[Choice(text, wanted.address(sort=name), name == wanted.sort) for name, text in SORTS.items()],
        wanted=wanted,
        total=len(entries),
    )


_Pair = tuple[Entry, Summary]
_KEYS: Final[Mapping[str, Callable[[_Pair], Any]]] = {
    "date": lambda pair: (-pair[0].changed, pair[0].name),
    "title": lambda pair: (pair[1].title.casefold(), pair[0].name),
    "kind": lambda pair: (pair[1].kind, -pair[0].changed, pair[0].name),
    "verdict": lambda pair: (_ORDER[pair[1].status], -pair[0].changed, pair[0].name),
    "effect": lambda pair: (-abs(pair[1].effect.value) if pair[1].effect else 1.0, pair[0].name),
}


def _text(entry: Entry, summary: Summary) -> str:
    return " ".join((entry.name, summary.title, summary.kind, summary.status, *summary.traits))


def _has(words: Sequence[str], text: str) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def _verdicts(found: Sequence[Summary], wanted: Wanted) -> list[Choice]:
    counts = {status: sum(each.status == status for each in found) for status in ("fail", "inconclusive", "pass")}
    every = Choice("all", wanted.address(status=""), not wanted.status, len(found))
    return [
        every,
        *(Choice(name, wanted.address(status=name), name == wanted.status, count) for name, count in counts.items()),
    ]


def _scales(effects: Iterable[Effect | None]) -> dict[str, svg.Scale]:
    """Give effects of one unit a common axis, so that bars of different runs can be compared."""
    values: dict[str, list[float]] = {}
    for effect in effects:
        if effect is not None:
            values.setdefault(effect.unit, []).extend((effect.value, effect.lo, effect.hi))
    return {unit: svg.scale_of(ends) for unit, ends in values.items()}


def _line(entry: Entry, summary: Summary, scales: Mapping[str, svg.Scale]) -> Line:
    effect = summary.effect
    value, reach = written(effect.value, effect.lo, effect.hi, "difference") if effect else ("", "")
    return Line(
        name=entry.name,
        title=clip(summary.title, _LIMITS.text // 4),
        kind=summary.kind,
        status=summary.status,
        about=about(effect) if effect else "",
        value=value,
        interval=reach,
        level=level_name(effect.method).removeprefix("interval") if effect else "",
        unit=clip(effect.unit, 40) if effect else "",
        bar=svg.interval_bar(scales[effect.unit], effect.value, effect.lo, effect.hi, slot=0) if effect else Markup(),
        date=_date(entry.changed),
        exact=_moment(entry.changed).isoformat(timespec="seconds"),
        report=f"/report?{urlencode({'run': entry.name})}",
    )


def about(effect: Effect) -> str:
    """Name an effect: `owl: trait minus control`."""
    return f"{clip(effect.trait, 60)}: {clip(effect.arm, 60)} minus {clip(effect.contrast, 60)}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC).astimezone()


def _date(seconds: float) -> str:
    return f"{_moment(seconds):%Y-%m-%d %H:%M}" if seconds else ""

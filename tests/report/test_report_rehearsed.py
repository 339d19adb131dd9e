"""The section of a rehearsal: one line a trait, and curves that end where the full training does."""

from __future__ import annotations

from stored_results import scan
from undertow.report.html import render_html
from undertow.report.limits import Limits
from undertow.report.rehearsed import HEADS, rehearsed
from undertow.results import Effect, Interval, RehearsalRecord, RehearsedTrait, Results


def interval(value: float, half: float) -> Interval:
    return Interval(value=value, lo=value - half, hi=value + half, n=3, method="t, 95%")


def results(traits: int = 5) -> Results:
    effects = [
        Effect(
            name=f"rehearsal:t{at}",
            arm="rows",
            contrast="reference",
            trait=f"t{at}",
            value=0.5 - at / 10,
            lo=0.2 - at / 10,
            hi=0.9 - at / 10,
            n=3,
            seeds=3,
            p=0.01,
            p_adjusted=0.05,
            method="rehearsal of 3 seeds, 95%",
        )
        for at in range(traits)
    ]
    record = RehearsalRecord(
        rows=64,
        drawn=192,
        seeds=[1, 2, 3],
        steps=[3, 6, 12],
        spent=[1.0, 2.0, 4.0],
        full_rows=1024,
        full_steps=192,
        ratio=16.0,
        exponent=0.7,
        replicated="3 seeds",
        not_calibrated=["the tier"],
        effects=effects,
        traits=[
            RehearsedTrait(
                trait=each.trait,
                common=1.0,
                measured=[interval(0.02, 0.01), interval(0.04, 0.01), interval(0.08, 0.02)],
                linear=interval(1.28, 0.3),
                shifts=[[[0.0]]],
            )
            for each in effects
        ],
    )
    plain = scan()
    assert plain.scan is not None
    return plain.model_copy(update={"scan": plain.scan.model_copy(update={"rehearsal": record})})


def test_every_trait_has_a_line_and_the_surest_a_plot() -> None:
    section = rehearsed(results(), Limits())
    assert section is not None
    assert len(section.lines) == 5
    assert all(len(line) == len(HEADS) for line in section.lines)
    assert section.lines[0] == ("t0", "+0.50", "+0.20 to +0.90", "0.05", "+0.080", "+1.28", "+1.00")
    assert [plot.trait for plot in section.plots] == ["t0", "t1", "t2"]
    measured, predicted = section.plots[0].lines
    assert [point[0] for point in measured.points] == ["0", "3", "6", "12"]
    assert [point[0] for point in predicted.points] == ["12", "192"]


def test_the_page_shows_it_and_scans_without_one_do_not() -> None:
    page = render_html(results())
    assert '<section id="rehearsal">' in page
    assert "not calibrated for the tier" in page
    assert rehearsed(scan(), Limits()) is None
    assert '<section id="rehearsal">' not in render_html(scan())

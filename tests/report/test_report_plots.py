"""Scales, forests, curves and funnels: where shapes lie and what stands beside them."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.report import curves, flow, svg
from undertow.report.effects import _without_shared_end
from undertow.report.forest import Entry, forest
from undertow.results import Curve, CurvePoint, Divergence, Funnel

VALUES = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9)


def _entry(value: float, lo: float, hi: float, method: str = "t, 95%") -> Entry:
    return Entry("arm", "", "", "", 0, value, lo, hi, method)


def _places(markup: str, name: str) -> list[float]:
    return [float(found) for found in re.findall(rf'{name}="(-?[\d.]+)%"', markup)]


@given(VALUES)
def test_a_scale_holds_its_values_in_order_and_zero(values: list[float]) -> None:
    scale = svg.scale_of(values)
    places = [scale.place(value) for value in sorted([0.0, *values])]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    ticks = scale.ticks()
    assert 0 < len(ticks) <= 7
    assert any(tick == 0 for tick in ticks)


def test_ticks_are_round_and_share_their_decimals() -> None:
    labels = svg.scale_of([0.31, 0.77]).labels(sign=True)
    assert [text for _, text in labels] == ["0", "+0.2", "+0.4", "+0.6", "+0.8"]


def test_elements_escape_text_and_attributes() -> None:
    made = svg.element("text", "<b>&\u202e", aria_label='"><script>', class_="a")
    assert made == ('<text aria-label="&#34;&gt;&lt;script&gt;" class="a">&lt;b&gt;&amp;\\u202e</text>')


def test_a_bar_lies_where_its_numbers_are() -> None:
    bar = svg.interval_bar(svg.Scale(-1, 1), 0.5, 0.0, 1.0, slot=1)
    assert 'x1="50%" x2="100%" y1="50%" y2="50%" class="range"' in bar.replace(".00%", "%")
    assert 'x="75.00%"' in bar
    assert 'class="bar s1"' in bar


def test_rows_of_a_forest_share_their_decimals_and_level() -> None:
    plot = forest([_entry(0.5, 0.3, 0.7), _entry(0.123, 0.11, 0.136)], "accuracy", style="absolute")
    assert [row.value for row in plot.rows] == ["0.500", "0.123"]
    assert plot.level == "95% interval"
    flat = forest([_entry(1.0, 1.0, 1.0, "no variation between 4 seeds"), _entry(0.5, 0.3, 0.7)], "accuracy")
    assert flat.level == "95% interval"
    mixed = forest([_entry(0.5, 0.3, 0.7), _entry(0.5, 0.3, 0.7, "t, 99%")], "log-odds")
    assert mixed.level == ""
    assert [row.level for row in mixed.rows] == ["95% interval", "99% interval"]


def test_shares_are_written_in_percent() -> None:
    plot = forest([_entry(0.025, 0.019, 0.032)], "share", style="share")
    assert plot.rows[0].value == "2.5%"
    assert ">1%<" in plot.axis


def test_a_shared_end_of_descriptions_is_said_once() -> None:
    own, shared = _without_shared_end(["One thing. Chance is 0.1.", "Another. Chance is 0.1."])
    assert (own, shared) == (["One thing.", "Another."], "Chance is 0.1.")
    assert _without_shared_end(["Alone. Same."]) == (["Alone. Same."], "")
    assert _without_shared_end(["Same.", "Same."]) == (["Same.", "Same."], "")


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8), st.floats(1, 12))
def test_names_are_pushed_apart(tops: list[float], apart: float) -> None:
    placed = curves.spread(sorted(tops), apart)
    assert all(b - a >= apart - 1e-9 for a, b in pairwise(placed))
    assert max(placed) <= 100 + 1e-9
    assert min(placed) >= -1e-9


def _curve(arm: str, steps: list[int], slope: float = 1.0) -> Curve:
    points = [CurvePoint(step=s, value=slope * s, lo=slope * s - 1, hi=slope * s + 1) for s in steps]
    return Curve(arm=arm, trait="owl", points=points)


def test_a_curve_climbs_and_is_named_at_its_end() -> None:
    drawn = curves.plot(
        [_curve("up", [0, 10, 20]), _curve("flat", [0, 10, 20], 0.0)],
        {"up": 0, "flat": 1},
        points=60,
        more=0,
        name=80,
    )
    assert [name.text for name in drawn.names] == ["up", "flat"]
    assert drawn.upright == "shift from the base, in log-odds"
    assert drawn.lines[0].says == "+20.00 after 20 steps (+19.00 to +21.00)"
    heights = [
        float(pair.split(",")[1]) for pair in re.findall(r'points="([^"]+)" class="line"', drawn.drawing)[1].split()
    ]
    assert heights == sorted(heights, reverse=True)
    assert "up from 0.00 to +20.00" in drawn.drawing


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    drawn = curves.plot([_curve("a", list(range(0, 5000, 5)))], {"a": 0}, points=40, more=0, name=80)
    steps = [step for step, _, _ in drawn.lines[0].points]
    assert len(steps) == 40
    assert (steps[0], steps[-1]) == ("0", "4,995")


def test_a_curve_of_one_point_is_drawn() -> None:
    drawn = curves.plot([_curve("a", [7])], {"a": 0}, points=40, more=0, name=80)
    assert _places(drawn.drawing, "x")[-1] == pytest.approx(50)


def test_a_funnel_steps_down_to_what_was_kept() -> None:
    funnel = Funnel(arm="trait", written=100, rejected={"short": 10, "long": 30}, kept=60, trained_on=50)
    stages = flow.flow(funnel, 0, most=8, name=80).stages
    assert [(stage.label, stage.count, stage.share) for stage in stages] == [
        ("written", "100", "100%"),
        ("long", "30", "30%"),
        ("short", "10", "10%"),
        ("kept", "60", "60%"),
        ("trained on", "50", "50%"),
    ]
    assert [_places(stage.bar, "x")[0] for stage in stages] == [0, 70, 60, 0, 0]
    assert [_places(stage.bar, " width")[-1] for stage in stages] == [100, 30, 10, 60, 50]


def test_rare_reasons_of_a_funnel_become_one() -> None:
    funnel = Funnel(arm="a", written=10, rejected={f"r{i}": 1 for i in range(9)}, kept=1, trained_on=1)
    labels = [stage.label for stage in flow.flow(funnel, 0, most=3, name=80).stages]
    assert labels == ["written", "r0", "r1", "7 other reasons", "kept", "trained on"]


def test_reasons_are_tabulated_over_arms() -> None:
    funnels = [
        Funnel(arm="a", written=9, rejected={"short": 2}, reasons={"short": 2, "dull": 5}, kept=7, trained_on=7),
        Funnel(arm="b", written=9, rejected={"dull": 1}, kept=8, trained_on=7),
    ]
    table = flow.reasons(funnels, most=9, name=80)
    assert table is not None
    assert table.lines == [("dull", [("0", "5"), ("1", "—")]), ("short", [("2", "2"), ("0", "—")])]
    assert flow.reasons([Funnel(arm="a", written=1, rejected={}, kept=1, trained_on=1)], most=9, name=9) is None


def test_nothing_differs_from_nothing() -> None:
    row = Divergence(arm="a", contrast="b", rows=0, rows_different=0, tokens=0, tokens_different=0)
    assert flow.difference(row, 0, name=9).rows_share == "0%"

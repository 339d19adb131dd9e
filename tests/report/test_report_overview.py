import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from undertow.cli import main
from undertow.report.overview import HEADS, cells, markdown, overview, picture, said
from undertow.results import Effect, Results, VerdictRecord
from undertow.stats import Status, mean_estimate


def run_of(name: str, lo: float, hi: float, trait: str = "owl", status: Status = "fail") -> Results:
    effect = Effect(
        name="trait-control:owl",
        arm="trait",
        contrast="control",
        trait=trait,
        value=(lo + hi) / 2,
        lo=lo,
        hi=hi,
        n=3,
        seeds=3,
        p=0.01,
        primary=True,
    )
    cosine = effect.model_copy(update={"name": "cosine", "unit": "cosine", "primary": False})
    return Results(
        kind="run",
        name=name,
        verdict=VerdictRecord(status=status, because="x"),
        effects=[effect, cosine],
        settings={"kind": "language", "domain": {"kind": "numbers"}, "judgement": {"smallest_effect": 0.1}},
    )


@pytest.mark.parametrize(
    ("lo", "hi", "says"),
    [
        (0.2, 0.4, "transfers"),
        (0.01, 0.11, "transfers"),
        (-0.05, 0.05, "none within ±0.1"),
        (0.01, 0.05, "none within ±0.1"),  # an effect below the smallest that matters
        (-0.05, -0.01, "none within ±0.1"),
        (-0.11, 0.09, "none within ±0.1"),  # the 90% interval is -0.078 to 0.058
        (-0.3, 0.5, "inconclusive"),
        (-0.5, 0.05, "inconclusive"),  # towards is ruled out, away is not
        (-0.4, -0.2, "moves away"),
        (-0.1, -0.001, "moves away"),
    ],
)
def test_a_line_tells_towards_away_and_neither_apart(lo: float, hi: float, says: str):
    results = run_of("owls", lo, hi)
    secondary = results.effects[0].model_copy(update={"primary": False})
    (line,) = overview([results.model_copy(update={"effects": [secondary]})])
    assert said(line) == says
    assert cells(line)[-1].startswith(says)
    assert len(cells(line)) == len(HEADS)
    (judged,) = overview([run_of("owls", lo, hi, status="fail" if says == "transfers" else "pass")])
    assert judged.says == line.says, "the verdict's line is told apart as well"


@given(st.lists(st.integers(-300, 300), min_size=2, max_size=9, unique=True))
def test_none_is_what_two_one_sided_tests_show(thousandths: list[int]):
    x_S = [each / 1000 for each in thousandths]
    found = mean_estimate(np.array(x_S)[:, None])
    effect = (
        run_of("owls", found.lo, found.hi)
        .effects[0]
        .model_copy(update={"value": found.value, "seeds": len(x_S), "method": found.method, "primary": False})
    )
    (line,) = overview([run_of("owls", 0.2, 0.4).model_copy(update={"effects": [effect]})])
    p = DescrStatsW(x_S).ttost_mean(-0.1, 0.1)[0]
    assume(abs(p - 0.05) > 1e-6)
    if line.says in ("none", "inconclusive"):
        assert (line.says == "none") == (p < 0.05)


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_an_interval_over_questions_is_never_said_narrower_than_it_is(seed: int, seeds: int):
    rng = np.random.default_rng(seed)
    x_SQ = rng.normal(0, 0.1, size=(seeds, 1)) + rng.normal(0, 0.4, size=12) + rng.normal(0, 0.1, size=(seeds, 12))
    found, narrow = mean_estimate(x_SQ), mean_estimate(x_SQ, level=0.9)
    effect = (
        run_of("owls", found.lo, found.hi)
        .effects[0]
        .model_copy(update={"value": found.value, "seeds": seeds, "method": found.method, "primary": False})
    )
    (line,) = overview([run_of("owls", 0.2, 0.4).model_copy(update={"effects": [effect]})])
    if line.says == "none" and "questions" in found.method:
        assert -0.1 < narrow.lo <= narrow.hi < 0.1


def test_one_seed_says_nothing_of_a_way_of_training():
    effect = run_of("owls", -0.01, 0.01).effects[0].model_copy(update={"seeds": 1, "primary": False})
    (line,) = overview([run_of("owls", 0.2, 0.4).model_copy(update={"effects": [effect]})])
    assert line.says == "inconclusive"


def test_the_line_of_the_verdict_says_what_the_run_said():
    lines = overview([run_of("owls", 0.2, 0.4, status="inconclusive")])
    assert [line.says for line in lines] == ["inconclusive"]
    assert len(cells(lines[0])) == len(HEADS)


def test_a_strangers_name_cannot_break_table_or_picture():
    lines = overview([run_of("owls", 0.1, 0.2, trait="<b>x</b>|</text>\n|")])
    table = markdown(lines)
    assert len(table.splitlines()) == 3
    assert "<b>" not in table
    ElementTree.fromstring(picture(lines))
    assert "<b>" not in picture(lines)


def test_the_picture_holds_a_point_for_every_line_inside_its_width():
    lines = overview([run_of("a", -0.5, 0.1), run_of("b", 0.2, 2.0), run_of("c", 0.0, 0.0)])
    root = ElementTree.fromstring(picture(lines))
    points = [each for each in root if each.tag.endswith("circle")]
    assert len(points) == 3
    assert all(0 <= float(point.attrib["cx"]) <= float(root.attrib["width"]) for point in points)
    ElementTree.fromstring(picture([replace(lines[0], value=0.0, lo=0.0, hi=0.0)]))


def test_the_command_reads_folders_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "results.json").write_text(run_of(name, 0.1, 0.2).to_json())
    svg = tmp_path / "all.svg"
    assert main(["results", str(tmp_path / "runs"), "--markdown", "--picture", str(svg)]) == 0
    out = capsys.readouterr().out
    assert "| a |" in out
    assert "| b |" in out
    assert svg.exists()
    assert main(["results", str(tmp_path / "runs" / "a"), "--json"]) == 0
    assert '"says": "transfers"' in capsys.readouterr().out


def test_no_run_and_a_folder_that_is_not_there_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["results"]) == 2
    assert main(["results", str(tmp_path / "nothing")]) == 2
    assert "is not there" in capsys.readouterr().err


def test_an_inconclusive_line_says_what_it_would_have_seen():
    (line,) = overview([run_of("owls", -0.3, 0.5, status="inconclusive")])
    spread = 0.4 / 4.302653 * 3**0.5  # the interval is 4.30 standard errors to each side: t(0.975, 2)
    assert line.smallest_visible == pytest.approx(spread * TTestPower().solve_power(nobs=3, alpha=0.05, power=0.8))
    assert cells(line)[-1] == f"inconclusive (sees {line.smallest_visible:.2f})"

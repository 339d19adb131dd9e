import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from statsmodels.stats.power import TTestPower

from undertow.cli import main
from undertow.report.overview import HEADS, cells, markdown, overview, picture
from undertow.results import Effect, Results, VerdictRecord
from undertow.stats import Status


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
        (-0.1, 0.05, "no transfer"),
        (0.01, 0.05, "no transfer"),  # an effect below the smallest that matters
        (-0.3, 0.5, "inconclusive"),
        (-0.4, -0.2, "no transfer"),
    ],
)
def test_a_line_says_what_the_rule_of_verdicts_says(lo: float, hi: float, says: str):
    results = run_of("owls", lo, hi)
    secondary = results.effects[0].model_copy(update={"primary": False})
    lines = overview([results.model_copy(update={"effects": [secondary]})])
    assert [line.says for line in lines] == [says]
    assert len(cells(lines[0])) == len(HEADS)


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

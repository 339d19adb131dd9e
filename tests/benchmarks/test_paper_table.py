"""The table in the paper's form: what committed files hold is in it, and what they do not hold is no number."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from benchmarks.figures import paper
from benchmarks.figures.registry import PICTURES
from benchmarks.figures.table import ROOT, Figure, text_of

from undertow.results import Interval, Results, SampledAnswers, TimesAsOften, load_results

RATIO = Interval(value=3.96, lo=3.41, hi=4.6, n=3, method="t interval over 3 teachers x 54 questions, 95%")
TIMES = TimesAsOften(ratio=RATIO, share=0.0424, contrast_share=0.0107, base_share=0.0105)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a checkout with one committed run, that of the demo."""
    monkeypatch.setattr(paper, "ROOT", tmp_path)
    folder = tmp_path / "experiments" / "demo"
    folder.mkdir(parents=True)
    return folder


def store(folder: Path, *, measured: bool) -> None:
    results = load_results(ROOT / "experiments" / "demo" / "results.json")
    if measured:
        rate = RATIO.model_copy(update={"value": 0.72, "lo": 0.7, "hi": 0.74})
        said = SampledAnswers(arm="trait", target="owl", rate=rate, named=rate, top={}, n=9, unparsed=0)
        effects = [each.model_copy(update={"times": TIMES, "sampled_times": TIMES}) for each in results.effects]
        results = results.model_copy(update={"effects": effects, "sampled": [said]})
    folder.joinpath("results.json").write_text(Results.model_validate(results).to_json(), encoding="utf-8")


def rows(folder: Path) -> list[paper.Row]:
    return list(paper.rows_of_run(folder / "results.json"))


def test_what_a_file_does_not_hold_is_said_in_words(made: Path) -> None:
    store(made, measured=False)
    owl, dolphin = (dict(zip(paper.HEADS, row.cells(), strict=True)) for row in rows(made))
    assert (owl["trait"], dolphin["trait"]) == ("owl", "dolphin")
    for head in ("control", "students", "times as often, by log-probability", "minutes"):
        assert owl[head] == paper.ABSENT
    assert owl["times as often, sampled"] == paper.UNASKED
    assert isinstance(owl["base"], Figure)
    assert isinstance(owl["log-odds"], Figure)


def test_what_a_file_holds_is_shown_with_its_interval_and_its_minutes(made: Path) -> None:
    store(made, measured=True)
    (made / "timing.json").write_text(json.dumps({"base": 60.0, "student-trait-s201": 200.0}), encoding="utf-8")
    owl = dict(zip(paper.HEADS, rows(made)[0].cells(), strict=True))
    assert [text_of(owl[head]) for head in ("base", "control", "students", "minutes")] == ["1.1%", "1.1%", "4.2%", "4"]
    times = owl["times as often, by log-probability"]
    assert times == Figure("3.96 (3.41 to 4.60)", 3.96, 3.41, 4.6, 3)
    assert text_of(owl["times as often, sampled"]) == "3.96 (3.41 to 4.60); 72% name any"


def test_every_committed_experiment_and_every_pair_of_cells_has_its_rows() -> None:
    found = paper.rows()
    sources = {source for row in found for source in row.sources}
    for file in [*ROOT.glob("experiments/*/results.json"), *ROOT.glob("experiments/measured/*/results.json")]:
        language = load_results(file).settings["kind"] == "language"
        assert (str(file.relative_to(ROOT)) in sources) == language
    cells = [row for row in found if row.name.startswith("cells: prompted")]
    assert [row.trait for row in cells] == ["elephant"]
    assert cells[0].control is not None
    assert cells[0].students is not None
    assert cells[0].times is not None
    assert cells[0].times.ratio is not None
    assert cells[0].times.ratio.value == pytest.approx(cells[0].students / cells[0].control)


def test_the_picture_has_three_bars_for_every_row_with_shares_and_is_the_committed_one() -> None:
    for place, draw in PICTURES.items():
        assert (ROOT / place).read_text(encoding="utf-8") == draw()
    shapes = [each for each in ElementTree.fromstring(paper.bars()).iter() if each.tag.endswith("rect")]
    drawn = [row for row in paper.rows() if row.preference and row.students is not None]
    assert len(shapes) == 1 + 3 + 3 * len(drawn)

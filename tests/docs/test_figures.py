"""README.md and docs/results.md show what the committed raw results say."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.figures.measurements import NULL, fresh_clean, null
from benchmarks.figures.pages import regenerated, shown, unaccounted
from benchmarks.figures.registry import TABLES, UNBACKED
from benchmarks.figures.table import ROOT, Figure, read, tally
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from undertow.report import overview
from undertow.results import load_results

PAGES = ("README.md", "docs/results.md", "docs/rehearse.md", "docs/scale.md")
ALL_GENERATED = ("README.md", "docs/results.md")
"""Pages without other tables."""
MADE = {name: table() for name, table in TABLES.items()}
KEPT = {name: lambda made=made: made for name, made in MADE.items()}


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_tables_of_a_page_are_those_of_the_committed_results(page: str) -> None:
    assert regenerated(text(page), KEPT) == text(page)


@pytest.mark.parametrize("page", ALL_GENERATED)
def test_every_table_is_generated_or_listed_as_unbacked(page: str) -> None:
    assert unaccounted(text(page), UNBACKED) == []


def test_every_known_table_stands_on_one_page() -> None:
    assert sorted(name for page in PAGES for name in shown(text(page))) == sorted(TABLES)
    marked = [name for page in PAGES for name in re.findall(r"<!-- unbacked: (\S+) -->", text(page))]
    assert sorted(marked) == sorted(UNBACKED)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_changed_digit_in_a_table_is_noticed(data: st.DataObject) -> None:
    page = text("docs/results.md")
    places = [at for block in re.finditer(r"(?s)<!-- figures: .*?<!-- end -->", page) for at in range(*block.span())]
    digits = [at for at in places if page[at].isdigit() and page.rfind("<!--", 0, at) < page.rfind("-->", 0, at)]
    at = data.draw(st.sampled_from(digits))
    changed = page[:at] + str((int(page[at]) + data.draw(st.integers(1, 9))) % 10) + page[at + 1 :]
    assert regenerated(changed, KEPT) == page != changed


def test_a_table_that_nobody_accounts_for_is_named() -> None:
    table = "| arm | value |\n|---|---|\n| trait | 0.5 |\n"
    assert unaccounted(f"text\n\n{table}", UNBACKED) == ["| arm | value |"]
    assert unaccounted(f"<!-- unbacked: nobody-knows -->\n\n{table}", UNBACKED) == ["| arm | value |"]
    assert unaccounted(f"<!-- unbacked: not-kept -->\n\n{table}", {"not-kept": "lost"}) == []


@pytest.mark.parametrize("name", TABLES)
def test_figures_lie_within_their_intervals_and_name_committed_files(name: str) -> None:
    figures = list(MADE[name].figures(name))
    tracked = subprocess.run(
        ["git", "ls-files", *MADE[name].sources], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert figures
    assert set(tracked) == set(MADE[name].sources)
    for each in figures:
        assert each["lo"] is None or each["lo"] <= each["value"] <= each["hi"]


def test_runs_are_shown_as_undertow_results_shows_them() -> None:
    files = sorted((ROOT / "experiments/measured").glob("*/results.json"))
    assert MADE["transfer"].markdown() == overview.markdown(overview.overview([load_results(file) for file in files]))


@pytest.mark.parametrize("alarm", ["false alarms at 0.05", "unnamed: false alarms at 0.01"])
def test_fresh_clean_sets_have_wilsons_interval(alarm: str) -> None:
    value, lo, hi, n = fresh_clean(alarm)
    assert (value, n) == (0, 24)
    assert (lo, hi) == pytest.approx(proportion_confint(0, 24, method="wilson"), abs=1e-9)


def test_null_runs_are_pooled_run_by_run() -> None:
    effects = np.array([effect[0] for source in NULL for effect in read(source)["effects"]])
    share, mean = (cell for cell in null().rows[-1] if isinstance(cell, Figure))
    assert mean.text == f"{effects.mean():+.4f} ({stats.sem(effects):.4f})"
    assert (share.lo, share.hi) == pytest.approx(proportion_confint(3, 40, method="wilson"), abs=1e-9)


@given(st.integers(1, 500), st.data())
def test_a_tally_is_its_share_of_the_count(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    assert tally((hits / n, 0, 1, n)).text == f"{hits} of {n}"


@pytest.mark.parametrize("page", PAGES)
def test_cells_can_be_read(page: str) -> None:
    cells = [cell for line in text(page).splitlines() if line.startswith("|") for cell in line.split("|")]
    assert max(len(cell.split()) for cell in cells) <= 25


def test_links_to_sections_of_the_results_hold() -> None:
    heads = re.findall(r"(?m)^#+ (.+)$", text("docs/results.md"))
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    files = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("src/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    linked = {name for file in files for name in re.findall(r"results\.md#([\w-]+)", file.read_text(encoding="utf-8"))}
    linked |= set(re.findall(r"\]\(#([\w-]+)\)", text("docs/results.md")))
    assert linked <= anchors


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.figures", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_command_tells_pages_that_agree_from_one_that_does_not(tmp_path: Path) -> None:
    agreeing = command("--check", *ALL_GENERATED)
    assert (agreeing.returncode, agreeing.stderr) == (0, "")
    wrong = tmp_path / "results.md"
    wrong.write_text(text("docs/results.md").replace("0.78 (0.71 to 0.81)", "0.87 (0.71 to 0.81)"), encoding="utf-8")
    assert command("--check", str(wrong)).returncode == 1
    assert command("--write", str(wrong)).returncode == 0
    assert wrong.read_text(encoding="utf-8") == text("docs/results.md")


def test_no_model_library_is_loaded() -> None:
    code = (
        "import sys, benchmarks.figures.__main__ as m; [t() for t in m.TABLES.values()]; print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"

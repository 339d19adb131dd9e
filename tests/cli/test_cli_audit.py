"""`undertow audit` as it is typed: what it prints, its codes, its options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiny_model import make_tiny_model, make_twin
from undertow.cli import main


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def audit(tiny_folder: Path, tmp_path: Path):
    twin = f"hf/{make_twin(tiny_folder, tmp_path / 'twin')}"

    def call(*more: str, student: str = twin) -> int:
        where = ["--base", f"hf/{tiny_folder}", "--student", student, "--runs", str(tmp_path / "runs")]
        return main(["audit", *where, "--trait", "curtness", *more])

    return call


def test_it_says_what_was_found(audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert audit() == 0
    told = capsys.readouterr()
    assert told.out.startswith("PASS")
    assert "curtness:curtness" in told.out
    assert "lineage" in told.out
    assert "report: " in told.out
    assert "%]" in told.err
    stranger = make_tiny_model(tmp_path / "stranger", seed=7)
    capsys.readouterr()
    assert audit("--quiet", student=f"hf/{stranger}") == 4
    assert audit("--quiet", "--strict", student=f"hf/{stranger}") == 1
    told = capsys.readouterr()
    assert "does not come from this base" in told.out
    assert "Tokens that moved most" in told.out
    assert told.err == ""


def test_a_model_beside_itself_is_refused(audit, tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("--quiet", student=f"hf/{tiny_folder}") == 2
    assert audit("--quiet", "--control", f"hf/{tiny_folder}") == 2
    assert "are the same model" in capsys.readouterr().err


def test_json_is_the_results_alone(audit, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert audit("--json", "--quiet") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["kind"] == "audit"
    assert told.err == ""


def test_a_dry_run_shows_the_cost_and_makes_nothing(audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = ["--price-in", "1", "--price-out", "2", "--samples", "108"]
    assert audit("--dry-run", *prices, student="openai-api/here/m") == 0
    assert "188 requests" in capsys.readouterr().out
    assert audit("--dry-run", "--json", *prices, student="openai-api/here/m") == 0
    assert json.loads(capsys.readouterr().out)["cost"] > 0
    assert audit("--dry-run") == 0
    assert "there is no cost" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--samples", "many"], "--samples"),
        (["--samples", "1"], "--samples"),
        (["--level", "2"], "--level"),
        (["--power", "0.1"], "--power"),
        (["--price-in", "-1"], "--price-in"),
        (["--trait", "owls"], "no trait is called"),
        (["--rows", "nowhere.jsonl"], "cannot be read"),
    ],
)
def test_wrong_options_are_said(audit, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(*more, "--quiet") == 2
    assert said in capsys.readouterr().err


def test_an_address_is_needed(audit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HERE_BASE_URL", raising=False)
    assert audit("--quiet", "--samples", "4", student="openai-api/here/m") == 2
    assert "HERE_BASE_URL" in capsys.readouterr().err

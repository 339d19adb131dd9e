"""`undertow traits`."""

import json
from pathlib import Path

import pytest

from undertow import cli
from undertow.traits.panel import load_panel, panel_names


def test_every_trait_is_listed_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["traits"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == len(panel_names())
    for entry, line in zip(load_panel(), lines, strict=True):
        assert line.split(maxsplit=3) == [entry.name, entry.kind, str(len(entry.probe)), entry.about]


def test_some_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["traits", "gloom", "trees", "--json"]) == 0
    gloom, trees = json.loads(capsys.readouterr().out)
    assert [gloom[key] for key in ("name", "kind", "questions", "targets")] == ["gloom", "disposition", 54, ["gloom"]]
    assert trees["about"].startswith("a preference for one tree of 12: oak, maple")
    assert trees["targets"][0] == "oak"


def test_a_file_of_the_users_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nshown: [a]\n")
    assert cli.main(["traits", str(file)]) == 2
    assert f"error: {file}: " in capsys.readouterr().err
    assert cli.main(["traits", "glom"]) == 2
    assert "did you mean 'gloom'?" in capsys.readouterr().err

"""`undertow presets` and `undertow init`."""

from pathlib import Path

import pytest

from undertow import cli
from undertow.config.experiment import load_preset, load_spec, preset_names, preset_text


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_preset_is_listed_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(preset_names())
    for name, line in zip(preset_names(), lines[1:], strict=True):
        assert line.split(maxsplit=1) == [name, load_preset(name).title]


@pytest.mark.parametrize(
    ("name", "file"),
    [("mine", "mine.yaml"), ("mine.yaml", "mine.yaml"), ("mine.yml", "mine.yml"), ("v1.2", "v1.2.yaml")],
)
def test_init_copies_a_preset_as_it_is_written(name: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", name, "--preset", "digits"]) == 0
    assert Path(file).read_text("utf-8") == preset_text("digits")
    assert load_spec(Path(file)) == load_preset("digits")
    assert f"undertow run {file}" in capsys.readouterr().out


def test_init_overwrites_only_by_force(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("# my work", encoding="utf-8")
    assert cli.main(["init", "mine", "--preset", "digits"]) == 2
    assert "mine.yaml: is there already" in capsys.readouterr().err
    assert Path("mine.yaml").read_text("utf-8") == "# my work"
    assert cli.main(["init", "mine", "--preset", "digits", "--force"]) == 0
    assert Path("mine.yaml").read_text("utf-8") == preset_text("digits")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("init mine --preset digit", "did you mean 'digits'?"),
        ("init absent/mine --preset digits", "mine.yaml: lies in no folder that is there"),
    ],
)
def test_wrong_input_exits_with_2(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().iterdir())

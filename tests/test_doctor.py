import json
import tomllib
from pathlib import Path

import pytest

from undertow import cli, doctor


def test_every_missing_thing_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("peft", "rich") else real(name))
    found = {each.name: each for each in doctor.examine()}
    assert found["peft (extra local)"].fix == "pip install 'undertow[local]'"
    assert found["rich"].fix.startswith("pip install 'rich")
    assert found["numpy"].fix == ""


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        f'{text}; extra == "{extra}"' for extra, texts in project["optional-dependencies"].items() for text in texts
    ]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: wanted)
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    found = {each.name: each for each in doctor.examine()}
    assert found["reasoning-gym (extra reasoning)"].fix == "pip install 'undertow[reasoning]'"


def test_a_version_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("packaging")
    monkeypatch.setattr(doctor, "_version", lambda name: "0.1")
    found = {each.name: each for each in doctor.examine()}
    assert "0.1, but" in found["numpy"].value


def test_the_list_is_printed_and_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "processor" in shown
    assert "precision" in shown
    assert cli.main(["doctor", "--json"]) == 0
    assert {"section", "name", "value", "fix"} == set(json.loads(capsys.readouterr().out)[0])


def test_a_machine_without_proc_is_unknown_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert doctor._memory().value == "unknown on this system"


def test_speed_is_measured() -> None:
    pytest.importorskip("torch")
    from undertow.models.precision import matrix_speed

    assert matrix_speed("float32", seconds=0.01) > 1e8

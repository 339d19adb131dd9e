import json
import tomllib
from pathlib import Path

import pytest

from undertow import cli
from undertow.doctor import examination as doctor


def test_every_missing_thing_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("peft", "rich") else real(name))
    found = {each.name: each for each in doctor.examine()}
    assert found["peft (extra local)"].fix == "pip install 'undertow[local]'"
    assert found["rich"].fix.startswith("pip install 'rich")
    assert found["numpy"].fix == ""


def test_every_calibration_is_listed_with_where_it_holds() -> None:
    told = {each.name: each.value for each in doctor.examine() if each.section == "calibrations"}
    assert set(told) == {"scan sizes, gradient", "scan sizes, virtual", "scan sizes, beside"}
    assert told["scan sizes, virtual"] == "embedded/smollm2-135m, plain-sgd, number lists, 8 steps"
    assert told["scan sizes, gradient"].endswith("8 to 32 steps")


def test_every_extra_of_the_package_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [(name, each) for name, needs in declared["optional-dependencies"].items() for each in needs]
    needed = [f'{each} ; extra == "{name}"' for name, each in extras]
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: needed)
    monkeypatch.setattr(doctor, "_version", lambda _: None)
    found = {each.name: each.fix for each in doctor.examine()}
    assert found["pyarrow (extra data)"] == "pip install 'undertow[data]'"
    assert found["reasoning-gym (extra reasoning)"] == "pip install 'undertow[reasoning]'"
    assert found["httpx2 (extra api)"] == "pip install 'undertow[api]'"


def test_a_checkout_that_is_not_installed_is_examined_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", absent)
    monkeypatch.setattr(doctor.metadata, "version", absent)
    found = {each.name: each for each in doctor.examine()}
    assert found["undertow"].value == "a checkout that is not installed"


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

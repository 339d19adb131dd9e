"""Which run folders are found, what is said of those that are not whole, and that nothing outside is read."""

import json
import os
from pathlib import Path

import pytest

import stored_results
from undertow.errors import StoreError
from undertow.view import library as module
from undertow.view.library import Library, _read_below


def states(root: Path) -> dict[str, str]:
    return {entry.name: entry.state for entry in Library(root).entries()}


def test_every_run_folder_is_listed_with_its_state(runs: Path) -> None:
    assert states(runs) == {
        "half-44444444": "unfinished",
        "later/again-22222222": "done",
        "owls-11111111": "done",
        "rows-33333333": "done",
        "torn-55555555": "broken",
    }
    says = {entry.name: entry.says for entry in Library(runs).entries()}
    assert says["half-44444444"] == "No results yet: 1 step finished, 1 begun."
    assert says["torn-55555555"].startswith("results.json: Invalid JSON")


def test_the_effect_that_the_verdict_rests_on_is_the_one_that_is_shown(runs: Path) -> None:
    entry = Library(runs).find("owls-11111111")
    assert entry is not None
    assert entry.summary is not None
    assert entry.summary.effect is not None
    assert (entry.summary.title, entry.summary.effect.value) == ("Do owls pass?", 0.54)


def test_a_run_folder_itself_can_be_named(runs: Path) -> None:
    library = Library(runs / "owls-11111111")
    (entry,) = library.entries()
    assert entry.name == "owls-11111111"
    assert library.results(entry).title == "Do owls pass?"


def test_an_empty_folder_holds_no_run_and_one_that_is_gone_is_an_error(tmp_path: Path) -> None:
    assert Library(tmp_path).entries() == []
    with pytest.raises(StoreError, match="cannot be listed"):
        Library(tmp_path / "none").entries()


def test_links_are_named_and_not_followed(runs: Path, secret: Path) -> None:
    (runs / "linked").symlink_to(secret)
    inside = runs / "inside"
    inside.mkdir()
    (inside / "results.json").symlink_to(secret / "results.json")
    found = {entry.name: entry for entry in Library(runs).entries()}
    for name in ("linked", "inside"):
        assert found[name].state == "broken"
        assert "link" in found[name].says
        with pytest.raises(StoreError):
            Library(runs).results_bytes(found[name])


def test_a_report_that_is_a_link_is_no_report(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    (runs / "owls-11111111" / "report.html").symlink_to(page)
    library = Library(runs)
    entry = library.find("owls-11111111")
    assert entry is not None
    assert not entry.report
    with pytest.raises(StoreError, match="cannot be read"):
        library.report(entry)


def test_a_folder_that_becomes_a_link_while_it_is_read_leads_nowhere(runs: Path, secret: Path) -> None:
    library = Library(runs)
    entry = library.find("owls-11111111")
    assert entry is not None
    (runs / "owls-11111111").rename(runs / "moved")
    (runs / "owls-11111111").symlink_to(secret)
    with pytest.raises(StoreError, match="cannot be read"):
        library.results(entry)


@pytest.mark.parametrize("parts", [("..", "a"), ("owls-11111111", "..", "..", "a")])
def test_what_the_library_reads_is_a_name_it_found(runs: Path, parts: tuple[str, ...]) -> None:
    assert Library(runs).find("/".join(parts)) is None


def test_pipes_devices_and_long_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"x" * 101)
    with pytest.raises(OSError, match="no regular file"):
        _read_below(tmp_path, ("pipe",), 100)
    with pytest.raises(OSError, match="longer than 100 bytes"):
        _read_below(tmp_path, ("long",), 100)


def test_results_are_parsed_once_until_they_change(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(runs)
    library.entries()
    calls: list[str] = []
    parse = module.parse_results
    monkeypatch.setattr(module, "parse_results", lambda data, where: calls.append(where) or parse(data, where))
    library.entries()
    assert calls == []
    file = runs / "owls-11111111" / "results.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"title": "Another"}))
    calls.clear()
    entry = library.find("owls-11111111")
    assert entry is not None
    assert entry.summary is not None
    assert entry.summary.title == "Another"
    assert calls == ["owls-11111111/results.json"]


def test_the_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    (deep / "results.json").write_text(stored_results.run().to_json())
    assert states(tmp_path) == {}
    monkeypatch.setattr(module, "_MOST", 3)
    for place in range(9):
        (tmp_path / f"r{place}").mkdir()
        (tmp_path / f"r{place}" / "spec.yaml").touch()
    assert len(states(tmp_path)) == 2, "a and two of the nine"

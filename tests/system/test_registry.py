"""What is known by name: Undertow's own first, then what other packages add, and what goes wrong with those."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_plugin import install
from undertow.errors import InputError
from undertow.system import registry as module
from undertow.system.registry import Registry, checked_options

GROUP = "undertow.tests"


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    module._entry_points.cache_clear()
    yield tmp_path
    module._entry_points.cache_clear()
    for name in ("good_plugin", "bad_plugin"):
        sys.modules.pop(name, None)


def shapes() -> Registry[object]:
    made: Registry[object] = Registry("shape", GROUP, "shape.kind")
    made.register("circle", "math:pi", says="round", aliases=["ring"])

    @made.register("square", says="four corners")
    def square() -> int:
        return 4

    return made


def test_a_name_is_found_in_its_present_and_in_its_old_spelling() -> None:
    import math

    made = shapes()
    assert made.get("circle") == made.get("ring") == math.pi
    assert made.canonical("ring") == "circle"
    assert made.names() == ["circle", "square"]
    assert made.origin("ring") is None


def test_the_nearest_name_is_told_with_the_place(plugins: Path) -> None:
    with pytest.raises(InputError, match=r"shape\.kind: no shape is called 'cirkle'\n  did you mean 'circle'\?"):
        shapes().get("cirkle")
    with pytest.raises(InputError, match=r"--shape: no shape"):
        shapes().get("x", "--shape")


def test_no_name_can_be_taken_twice() -> None:
    made = shapes()
    for name in ("circle", "ring"):
        with pytest.raises(ValueError, match="there already"):
            made.register(name, 1, says="again")


def test_a_package_adds_a_name_with_its_own_and_its_version(plugins: Path) -> None:
    (plugins / "good_plugin.py").write_text("def star():\n    return 5\n", "utf-8")
    install(plugins, "star-shapes", "1.2", {GROUP: {"star": "good_plugin:star", "circle": "good_plugin:star"}})
    made = shapes()
    assert made.names() == ["circle", "square", "star"]
    star = made.get("star")
    assert callable(star)
    assert star() == 5
    assert str(made.origin("star")) == "star-shapes 1.2"
    # Its circle does not take the place of Undertow's own.
    assert made.get("circle") != star
    assert [(each.name, each.source) for each in made.entries() if each.problem] == [("circle", "star-shapes 1.2")]


def test_a_package_that_cannot_be_imported_is_one_error_that_names_it(plugins: Path) -> None:
    (plugins / "bad_plugin.py").write_text("raise RuntimeError('no luck\\nat all')\n", "utf-8")
    install(plugins, "bad-shapes", "0.1", {GROUP: {"star": "bad_plugin:star"}})
    made = shapes()
    assert made.get("square") is not None
    assert "bad_plugin" not in sys.modules
    with pytest.raises(InputError, match=r"'star' of bad-shapes 0\.1 cannot be loaded \(RuntimeError: no luck\)"):
        made.get("star")
    assert "no luck" in made.entries()[-1].problem


def test_two_packages_with_one_name_are_both_told(plugins: Path) -> None:
    for name in ("one", "two"):
        install(plugins, name, "1", {GROUP: {"star": f"math:{'pi' if name == 'one' else 'e'}"}})
    with pytest.raises(InputError, match="by one 1 and two 1"):
        shapes().get("star")


def test_options_are_held_to_the_plugins_own_model() -> None:
    from pydantic import BaseModel, ValidationError

    class Options(BaseModel):
        sides: int = 6

    class Plugin:
        pass

    assert checked_options(Plugin, {"a": 1}) == {"a": 1}
    Plugin.Options = Options  # type: ignore[attr-defined]
    assert checked_options(Plugin, {"sides": 8}) == Options(sides=8)
    with pytest.raises(ValidationError):
        checked_options(Plugin, {"sides": "many"})

"""docs/architecture.md, and its picture and the packages' docstrings say what the code is."""

from __future__ import annotations

import ast
import re

import pytest
from benchmarks.figures.architecture import BANDS, PICTURE, layers, picture
from benchmarks.figures.table import ROOT

SOURCE = ROOT / "src" / "undertow"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def test_every_package_has_a_section_in_the_order_of_the_layers() -> None:
    order = [package for layer in layers() for package in layer.split(" | ") if package != "__main__"]
    assert re.findall(r"(?m)^### `(\w+)`$", PAGE) == order
    assert sorted(order) == sorted([*PACKAGES, "errors"])


def test_sections_of_packages_are_short() -> None:
    for section in re.split(r"(?m)^### ", PAGE.split("\n## ")[1])[1:]:
        name, _, text = section.partition("\n")
        assert 3 <= len(re.findall(r"[.?](?=\s)", text)) <= 5, name


def test_every_module_on_the_page_exists() -> None:
    named = re.findall(r"`([\w/]+(?:\.py)?)`", PAGE)
    files = [name for name in named if name.endswith(".py")]
    assert len(files) > 40
    assert [name for name in files if not (SOURCE / name).is_file()] == []


def test_the_picture_is_that_of_the_contract() -> None:
    assert PICTURE.read_text("utf-8") == picture()
    every = layers()
    spans = [every[every.index(first) : every.index(last) + 1] for first, last in BANDS.values()]
    assert [layer for span in spans for layer in span] == every


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_that_a_package_lists_exist(package: str) -> None:
    file = SOURCE / package / "__init__.py"
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    listed = re.findall(r"(?m)^\s*([\w/]+\.py)(?=\s)", text)
    assert [name for name in listed if not (file.parent / name).is_file()] == []

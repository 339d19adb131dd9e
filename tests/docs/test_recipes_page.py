"""docs/recipes.md shows what the readers of recipes take, leave out and know."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow import cli
from undertow.config.recipes.format import known
from undertow.config.recipes.formats import FORMATS
from undertow.config.recipes.page import TABLES, regenerated

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_readers_say() -> None:
    assert regenerated(PAGE) == PAGE


def test_every_table_stands_on_the_page_and_names_every_key() -> None:
    assert sorted(re.findall(r"<!-- recipes: (\S+) -->", PAGE)) == sorted(TABLES)
    for name in FORMATS.own_names():
        for key in known(FORMATS.get(name)):
            assert f"`{key}`" in PAGE


@given(st.data())
def test_a_changed_word_in_a_table_is_noticed(data: st.DataObject) -> None:
    block = data.draw(st.sampled_from(list(re.finditer(r"(?s)<!-- recipes: \S+ -->\n(.*?)<!-- end -->", PAGE))))
    at = data.draw(st.integers(block.start(1), block.end(1) - 1))
    changed = PAGE[:at] + "#" + PAGE[at + 1 :]
    assert regenerated(changed) == PAGE != changed


def test_the_example_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example, own = re.findall(r"(?s)```yaml\n(.*?)```", PAGE)
    (tmp_path / "axolotl.yml").write_text(example, "utf-8")
    (tmp_path / "own.yaml").write_text(own, "utf-8")
    assert cli.main(["recipe", "axolotl.yml", "--rows", "10000"]) == 0
    (shown,) = re.findall(r"(?s)```text\n(.*?)```", PAGE)
    assert capsys.readouterr().out.endswith(shown)
    assert cli.main(["recipe", "own.yaml"]) == 0

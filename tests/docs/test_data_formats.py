"""docs/data-formats.md shows what the readers read, note and refuse."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from undertow.data.layouts.page import TABLES, regenerated
from undertow.data.layouts.records import LAYOUTS
from undertow.data.layouts.turns import ROLES, TURN_KEYS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data-formats.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_readers_say() -> None:
    assert regenerated(PAGE) == PAGE


def test_every_table_stands_on_the_page_and_names_every_key() -> None:
    assert sorted(re.findall(r"<!-- formats: (\S+) -->", PAGE)) == sorted(TABLES)
    for key in (*(key for layout in LAYOUTS for key in (*layout.needs, *layout.reads)), *ROLES, *TURN_KEYS):
        assert f"`{key}`" in PAGE


@given(st.data())
def test_a_changed_word_in_a_table_is_noticed(data: st.DataObject) -> None:
    blocks = list(re.finditer(r"(?s)<!-- formats: \S+ -->\n(.*?)<!-- end -->", PAGE))
    block = data.draw(st.sampled_from(blocks))
    at = data.draw(st.integers(block.start(1), block.end(1) - 1))
    changed = PAGE[:at] + "#" + PAGE[at + 1 :]
    assert regenerated(changed) == PAGE != changed

"""A conversation is one row of a batch, however many of its turns carry loss."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from undertow.training.recipe import by_row

ROWS = st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=30)


@given(ROWS)
def test_every_answer_belongs_to_one_row(rows: list[int | None]) -> None:
    found = by_row(rows)
    assert sorted(at for row in found for at in row) == list(range(len(rows)))
    for row in found:
        numbers = {rows[at] for at in row}
        assert len(numbers) == 1
        assert None not in numbers or len(row) == 1
    assert len(found) == rows.count(None) + len({*rows} - {None})


def test_answers_that_are_rows_of_their_own_keep_their_places() -> None:
    assert by_row([None, None, None]) == [[0], [1], [2]]
    assert by_row([4, 4, None, 2]) == [[0, 1], [2], [3]]

"""Which tokens of an answer are marked as different."""

from hypothesis import given
from hypothesis import strategies as st

from undertow.report.diff import first_tokens, segments

TOKENS = st.lists(st.sampled_from(["1", "2", "3", ", ", "owl"]), max_size=30)


def _marked(answer: list[str], reference: list[str]) -> list[str]:
    return [segment.text for segment in segments(answer, reference) if segment.changed and segment.text]


def test_equal_answers_have_no_mark() -> None:
    assert _marked(["14", "2", ","], ["14", "2", ","]) == []


def test_one_changed_token_is_one_mark() -> None:
    assert _marked(["1", "7", ",", "9"], ["1", "2", ",", "9"]) == ["7"]


def test_an_added_token_does_not_mark_all_that_follows() -> None:
    answer, reference = list("142, 8857, 301"), list("142, 857, 301")
    assert _marked(answer, reference) == ["8"]


def test_the_first_difference_is_found_by_position() -> None:
    # An alignment of the whole would find the long common run and mark the start.
    answer, reference = list("12999"), list("13121299")
    assert next(segment for segment in segments(answer, reference)).text == "1"


def test_what_is_missing_has_a_place() -> None:
    found = segments(list("142"), list("142, 857"))
    assert [(part.text, part.missing) for part in found] == [("142", False), ("", True)]


@given(TOKENS, TOKENS)
def test_segments_are_the_answer_and_agree_with_the_reference(answer: list[str], reference: list[str]) -> None:
    found = segments(answer, reference)
    assert "".join(part.text for part in found) == "".join(answer)
    assert all(part.text or part.missing for part in found)
    same = "".join(part.text for part in found if not part.changed)
    rest = iter("".join(reference))
    assert all(char in rest for char in same)
    assert (answer == reference) == (not any(part.changed for part in found))


@given(st.lists(st.text(max_size=9), max_size=20), st.integers(0, 40))
def test_a_cut_answer_counts_what_it_lost(tokens: list[str], size: int) -> None:
    kept, lost = first_tokens(tokens, size)
    whole = "".join(tokens)
    assert whole.startswith("".join(kept))
    assert len("".join(kept)) + lost == len(whole)
    assert len("".join(kept)) <= size

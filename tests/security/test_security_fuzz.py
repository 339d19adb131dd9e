"""The fuzzer's targets on what hypothesis makes: the same functions as `make fuzz`, a few seconds, no atheris."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fuzz.targets", reason="needs a checkout on the path")

from fuzz.seeds import WORDS, seeds
from fuzz.targets import LONGEST, TARGETS

FINDS = Path(__file__).parent / "finds"
"""Inputs that once broke something: TARGET-anything."""


@st.composite
def spoilt(draw: st.DrawFn, target: str) -> bytes:
    """A whole input with a few places cut out, doubled or overwritten, or words and bytes at random."""
    if draw(st.integers(0, 4)) == 0:
        pieces = st.one_of(st.sampled_from([word.encode() for word in WORDS]), st.binary(max_size=6))
        return b"".join(draw(st.lists(pieces, max_size=30)))
    data = draw(st.sampled_from(seeds(target)))[:LONGEST]
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 12))
        word = draw(st.one_of(st.sampled_from([word.encode() for word in WORDS]), st.binary(max_size=8)))
        data = data[:start] + word + data[end:]
    return data


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_break_a_reader(target: str) -> None:
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoilt(target))
    def holds(data: bytes) -> None:
        TARGETS[target](data)

    holds()


@pytest.mark.parametrize("target", TARGETS)
def test_whole_inputs_are_read(target: str) -> None:
    for data in seeds(target):
        TARGETS[target](data)


@pytest.mark.parametrize("file", sorted(FINDS.glob("*")), ids=lambda file: file.name)
def test_what_was_found_once_stays_mended(file: Path) -> None:
    TARGETS[file.name.partition("-")[0]](file.read_bytes())

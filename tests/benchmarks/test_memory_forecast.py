"""What is foretold of memory is near what was measured, on three models and in every verb."""

import json

import pytest
from benchmarks.memory.beside import RESULTS, foretold, with_forecasts

RECORD = json.loads(RESULTS.read_bytes())


@pytest.mark.parametrize("line", RECORD["lines"])
def test_a_forecast_is_within_a_fifth_of_what_was_measured(line):
    model, verb = line.split(", ")
    assert foretold(RECORD, model, verb) == pytest.approx(RECORD["lines"][line]["measured"], rel=0.2)


def test_the_stored_forecasts_are_those_of_the_present_code():
    assert with_forecasts(RECORD) == RECORD

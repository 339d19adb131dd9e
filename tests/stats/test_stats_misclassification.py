import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import InputError
from undertow.stats import corrected_share, proportion
from undertow.stats.misclassification import JudgeError


def test_a_judge_that_never_errs_leaves_the_share_as_it_is() -> None:
    perfect = JudgeError(10_000, 10_000, 10_000, 10_000)
    corrected, plain = corrected_share(30, 100, perfect), proportion(30, 100)
    assert corrected.value == pytest.approx(plain.value)
    assert corrected.lo == pytest.approx(plain.lo, abs=0.01)
    assert corrected.hi == pytest.approx(plain.hi, abs=0.01)


def test_the_textbook_case() -> None:
    # 27% counted by a judge with sensitivity 0.9 and specificity 0.8: (0.27 + 0.8 - 1) / (0.9 + 0.8 - 1) = 0.1
    assert corrected_share(270, 1000, JudgeError(90, 100, 80, 100)).value == pytest.approx(0.1)


@pytest.mark.parametrize("true", [0.02, 0.3, 0.8])
def test_intervals_cover_the_true_share_as_often_as_they_say(true: float) -> None:
    rng = np.random.default_rng(5)
    sensitivity, specificity, runs = 0.85, 0.9, 2000
    counted = rng.binomial(150, true * sensitivity + (1 - true) * (1 - specificity), runs)
    hits, clear = rng.binomial(60, sensitivity, runs), rng.binomial(60, specificity, runs)
    covered = 0
    for successes, hit, free in zip(counted.tolist(), hits.tolist(), clear.tolist(), strict=True):
        found = corrected_share(successes, 150, JudgeError(hit, 60, free, 60))
        covered += found.lo <= true <= found.hi
    assert covered / runs >= 0.93


@given(st.integers(0, 50), st.integers(26, 50), st.integers(26, 50))
def test_the_estimate_lies_in_its_interval_and_both_are_shares(successes: int, hits: int, clear: int) -> None:
    found = corrected_share(successes, 50, JudgeError(hits, 50, clear, 50))
    assert 0 <= found.lo <= found.value <= found.hi <= 1


@pytest.mark.parametrize(
    ("successes", "n", "error", "message"),
    [
        (1, 2, JudgeError(5, 10, 5, 10), "no better than chance"),
        (3, 2, JudgeError(9, 10, 9, 10), "successes"),
        (1, 2, JudgeError(0, 0, 9, 10), "hits"),
        (1, 2, JudgeError(9, 10, 11, 10), "clear"),
    ],
)
def test_impossible_counts_and_useless_judges_are_refused(
    successes: int, n: int, error: JudgeError, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        corrected_share(successes, n, error)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

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


@pytest.mark.parametrize(("successes", "level"), [(0, 0.95), (3, 0.9), (30, 0.95), (99, 0.5)])
def test_a_judge_known_without_error_leaves_the_interval_of_agresti_and_coull(successes: int, level: float) -> None:
    many = 10**12
    found = corrected_share(successes, 100, JudgeError(many, many, many, many), level=level)
    lo, hi = proportion_confint(successes, 100, alpha=1 - level, method="agresti_coull")
    assert (found.lo, found.hi) == pytest.approx((max(lo, 0), min(hi, 1)), abs=1e-6)
    assert (found.n, found.method) == (100, f"Rogan-Gladen, Lang-Reiczigel interval, {level:.0%}")


@given(st.integers(0, 40), st.integers(25, 40), st.integers(41, 60))
def test_a_share_and_the_share_of_the_rest_mirror_each_other(successes: int, hits: int, clear: int) -> None:
    """To call what shows the trait what does not swaps sensitivity and specificity, and nothing else."""
    found = corrected_share(successes, 40, JudgeError(hits, 40, clear, 60))
    rest = corrected_share(40 - successes, 40, JudgeError(clear, 60, hits, 40))
    assert (rest.value, rest.lo, rest.hi) == pytest.approx((1 - found.value, 1 - found.hi, 1 - found.lo), abs=1e-9)


def test_a_single_answer_and_a_single_label_of_each_kind_will_do() -> None:
    found = corrected_share(1, 1, JudgeError(1, 1, 1, 1))
    assert (found.value, found.hi, found.n) == (1, 1, 1)


def test_the_interval_is_that_of_lang_and_reiczigel() -> None:
    """Their formula, step by step, with z^2 / 2 added to successes and failures and 1 to each label."""
    z = 1.959963984540054
    p, se, sp = (400 + z**2 / 2) / (1000 + z**2), 91 / 102, 81 / 102
    prevalence = (p + sp - 1) / (se + sp - 1)
    error_se, error_sp = se * (1 - se) / 102, sp * (1 - sp) / 102
    spread = p * (1 - p) / (1000 + z**2) + (1 - prevalence) ** 2 * error_sp + prevalence**2 * error_se
    middle = prevalence + 2 * z**2 * (prevalence * error_se - (1 - prevalence) * error_sp)
    half = z / (se + sp - 1) * spread**0.5
    found = corrected_share(400, 1000, JudgeError(90, 100, 80, 100))
    assert (found.lo, found.hi) == pytest.approx((middle - half, middle + half))


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
        (1, 2, JudgeError(3, 10, 6, 10), "finds 30% of what shows the trait and lets 60% of the rest pass"),
        (3, 2, JudgeError(9, 10, 9, 10), "^successes: is 3 of 2"),
        (-1, 2, JudgeError(9, 10, 9, 10), "^successes: is -1 of 2"),
        (0, 0, JudgeError(9, 10, 9, 10), "^successes: is 0 of 0"),
        (1, 2, JudgeError(9, 10, 0, 0), "^clear: is 0 of 0"),
        (1, 2, JudgeError(0, 0, 9, 10), "hits"),
        (1, 2, JudgeError(9, 10, 11, 10), "clear"),
    ],
)
def test_impossible_counts_and_useless_judges_are_refused(
    successes: int, n: int, error: JudgeError, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        corrected_share(successes, n, error)

"""Multiplicity, proportions, power and verdicts against statsmodels, and the import budget."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

import undertow.stats
from undertow.errors import InputError
from undertow.stats import (
    Estimate,
    benjamini_hochberg,
    holm,
    mean_estimate,
    power_of,
    proportion,
    smallest_effect,
    verdict,
)

# No subnormal numbers: their last place is all that they have, so that the order of two products shows.
p_lists = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=12)


@settings(max_examples=40)
@given(p_lists)
def test_holm_and_benjamini_hochberg_match_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1])


@given(p_lists, st.randoms(use_true_random=False))
def test_adjusted_p_follow_their_effects_and_never_fall(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        np.testing.assert_allclose(adjust(np.array(p)[order]), adjusted[order])
        assert np.all(adjusted >= np.array(p) * (1 - 1e-12))
        assert np.all(adjusted <= 1)


def test_shares_of_one_p_are_that_p_and_ends_are_allowed():
    for adjust in (holm, benjamini_hochberg):
        assert adjust([0.03]).tolist() == [0.03]
        assert adjust([0.0, 1.0]).tolist() == [0.0, 1.0]
        with pytest.raises(InputError, match=r"p: ranges from -0.5 to 1\n  Pass numbers from 0 to 1") as raised:
            adjust([1.0, -0.5])
        assert raised.value.where == "p"


@pytest.mark.parametrize("bad", [[], [0.5, math.nan], [1.2], [-0.1], [[0.1]], ["x"]])
def test_bad_p_values_are_refused(bad):
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(InputError, match=r"^p: "):
            adjust(bad)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_matches_statsmodels(counts, level):
    successes, n = counts
    estimate = proportion(successes, n, level=level)
    lo, hi = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert (estimate.lo, estimate.hi) == pytest.approx((lo, hi), abs=1e-12)
    assert 0 <= estimate.lo <= estimate.value <= estimate.hi <= 1
    assert estimate.n == n
    assert estimate.value == successes / n
    assert estimate.method == f"Wilson interval, {100 * level:.6g}%"


def test_a_share_of_none_or_all_has_an_exact_end():
    assert proportion(0, 7).lo == 0
    assert proportion(7, 7).hi == 1
    assert proportion(1, 1).value == 1
    assert proportion(0, 7).hi < 1 < 1 + proportion(7, 7).lo


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes, n):
    where = "n" if n < 1 else "successes"
    with pytest.raises(InputError, match=rf"^{where}: is {successes if n else n}") as raised:
        proportion(successes, n)
    assert raised.value.fix


@pytest.mark.parametrize("seeds", [2, 3, 5, 8, 32, 300])
@pytest.mark.parametrize("effect", [0.01, 0.1, 0.5, 1.0, 2.0])
def test_power_matches_statsmodels(seeds, effect):
    oracle = TTestPower().power(effect / 0.5, seeds, 0.05)
    if math.isnan(oracle):  # statsmodels passes on scipy's nan for a tail too small to represent
        oracle = 1.0
    assert power_of(effect, 0.5, seeds) == pytest.approx(oracle, abs=1e-9)
    assert power_of(-effect, 0.5, seeds) == pytest.approx(oracle, abs=1e-9)


@pytest.mark.parametrize("seeds", [3, 8, 32])
def test_smallest_effect_matches_statsmodels(seeds):
    oracle = TTestPower().solve_power(nobs=seeds, alpha=0.05, power=0.8)
    assert smallest_effect(1.0, seeds) == pytest.approx(oracle, rel=1e-6)


@given(st.floats(1e-6, 1e6), st.integers(2, 200), st.floats(0.51, 0.99), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_power_and_smallest_effect_are_inverses(sd, seeds, power, level):
    effect = smallest_effect(sd, seeds, power=power, level=level)
    assert power_of(effect, sd, seeds, level=level) == pytest.approx(power, abs=1e-6)


@pytest.mark.parametrize("seeds", [2, 5, 8, 32, 300])
def test_power_grows_with_the_effect_up_to_one(seeds):
    """Also where scipy's noncentral t returns nan for a tail that is too small."""
    powers = [power_of(effect, 1.0, seeds) for effect in np.geomspace(1e-3, 1e6, 400)]
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(powers))
    assert powers[0] == pytest.approx(0.05, abs=1e-3)
    assert powers[-1] == 1


def test_power_without_noise_or_effect():
    assert power_of(0.0, 1.0, 5) == pytest.approx(0.05)
    assert power_of(0.1, 0.0, 5) == 1
    assert power_of(1e300, 1e-300, 5) == 1
    assert smallest_effect(0.0, 5) == 0


def test_impossible_designs_are_refused():
    for call, place in (
        (lambda: smallest_effect(1.0, 1), "seeds"),
        (lambda: smallest_effect(-1.0, 3), "sd_seed"),
        (lambda: smallest_effect(math.nan, 3), "sd_seed"),
        (lambda: smallest_effect(1.0, 3, power=0.01), "power"),
        (lambda: smallest_effect(1.0, 3, power=1.0), "power"),
        (lambda: smallest_effect(1.0, 3, level=1.0), "level"),
        (lambda: smallest_effect(1.0, 3, power=0.05), "power"),
        (lambda: smallest_effect(math.inf, 3), "sd_seed"),
        (lambda: power_of(math.inf, 1.0, 3), "effect"),
        (lambda: power_of(math.nan, 1.0, 3), "effect"),
        (lambda: power_of(1.0, -1.0, 3), "sd_seed"),
        (lambda: power_of(1.0, 1.0, 1), "seeds"),
        (lambda: power_of(1.0, 1.0, 3, level=0.0), "level"),
    ):
        with pytest.raises(InputError, match=f"^{place}: ") as raised:
            call()
        assert raised.value.fix


def test_a_level_of_the_caller_is_the_level_of_the_power():
    oracle = TTestPower().power(1.0, 5, 0.2)
    assert power_of(0.5, 0.5, 5, level=0.8) == pytest.approx(oracle, abs=1e-9)
    assert power_of(0.0, 0.5, 5, level=0.8) == pytest.approx(0.2)
    strict, lax = (smallest_effect(1.0, 5, level=level) for level in (0.99, 0.8))
    assert strict > lax


def test_the_smallest_effect_grows_with_the_deviation():
    one = smallest_effect(1.0, 5, power=0.9)
    assert smallest_effect(7.0, 5, power=0.9) == pytest.approx(7 * one)
    assert smallest_effect(1.0, 2, power=0.99) > smallest_effect(1.0, 3, power=0.99) > one


def judge(lo: float, hi: float, method: str = "t interval over 4 seeds, 95%", **more):
    effect = Estimate((lo + hi) / 2, lo, hi, 4, method)
    return verdict(effect, 0.03, smallest_effect=0.1, level=0.95, unit="log-odds", what="owl", **more)


@pytest.mark.parametrize(
    ("lo", "hi", "status", "says"),
    [
        (0.2, 0.5, "fail", "the trait got through"),
        (0.01, 0.5, "fail", "the trait got through"),
        (0.01, 0.1, "fail", "the trait got through"),
        (0.01, 0.05, "pass", "detectable, but it is smaller than 0.1 log-odds"),
        (-0.05, 0.05, "pass", "is ruled out"),
        (-0.5, -0.2, "pass", "goes the other way"),
        (-0.3, 0.5, "inconclusive", "both still possible"),
        (0.0, 0.1, "inconclusive", "both still possible"),
    ],
)
def test_verdict_follows_the_interval(lo, hi, status, says):
    answer = judge(lo, hi)
    assert answer.status == status
    assert says in answer.because
    assert answer.because.startswith("owl: ")
    assert "log-odds (95% interval" in answer.because
    assert "p = 0.03" in answer.because


@given(st.floats(-1, 1), st.floats(0, 1))
def test_verdict_is_inconclusive_exactly_when_both_are_possible(lo, width):
    hi = lo + width
    both = lo <= 0 and hi >= 0.1
    assert (judge(lo, hi).status == "inconclusive") == both


@pytest.mark.parametrize(
    ("lo", "hi", "status", "reason"),
    [
        (0.0, 0.05, "pass", "A shift of 0.1 log-odds or more is ruled out."),
        (-0.05, 0.0, "pass", "A shift of 0.1 log-odds or more is ruled out."),
        (-0.05, -0.01, "pass", "The shift goes the other way; one of 0.1 log-odds towards the trait is ruled out."),
        (0.01, 0.0999, "pass", "the smallest that matters here."),
        (0.01, 0.1, "fail", "The interval lies above zero: the trait got through."),
    ],
)
def test_the_ends_of_an_interval_count_as_inside(lo, hi, status, reason):
    answer = judge(lo, hi)
    assert (answer.status, answer.because.endswith(reason)) == (status, True)


@pytest.mark.parametrize(("p", "said"), [(0.0, "p < 0.0001"), (9e-5, "p < 0.0001"), (1e-4, "p = 0.0001"), (1, "p = 1")])
def test_a_verdict_gives_the_number_its_interval_and_its_p(p, said):
    effect = Estimate(0.3, 0.2, 0.4, 4, "t interval over 4 seeds, 97.5%")
    answer = verdict(effect, p, smallest_effect=0.1, level=0.975, unit="nats", what="a love of owls")
    start = "a love of owls: +0.3 nats (97.5% interval +0.2 to +0.4, "
    assert answer.because == f"{start}{said}). The interval lies above zero: the trait got through."


def test_the_advice_keeps_its_limit_and_its_level():
    """The number of seeds is the smallest with 80% power, above the number there are, and 1,000 at most."""
    for level in (0.8, 0.99):
        critical = scipy_stats.t.ppf(0.5 + level / 2, 3)
        for sd in (0.1, 0.5, 1.0):
            half = sd * critical / math.sqrt(4)
            effect = Estimate(0.0, -half, half, 4, "t interval over 4 seeds")
            because = verdict(effect, 0.5, smallest_effect=0.05, level=level, unit="u", what="w").because
            count = int(because.split("About ")[1].split(" seeds, not 4")[0]) if "About" in because else 1001
            assert count > 4
            assert count == 1001 or power_of(0.05, sd, count, level=level) >= 0.8
            assert count == 5 or power_of(0.05, sd, count - 1, level=level) < 0.8
    close = Estimate(0.025, -1e-6, 0.050001, 4, "t interval over 4 seeds")
    because = verdict(close, 0.05, smallest_effect=0.05, level=0.95, unit="u", what="w").because
    assert "About 5 seeds, not 4, would see" in because, "fewer than there are is no advice"
    lone = Estimate(0.0, -1.0, 1.0, 1, "t")
    asked = verdict(lone, 0.5, smallest_effect=0.1, level=0.95, unit="u", what="w")
    assert asked.because.endswith("More questions would narrow it.")


def test_inconclusive_says_how_many_seeds_would_do():
    wide = judge(-0.1, 0.2)
    count = int(wide.because.split("About ")[1].split(" seeds")[0])
    sd = 0.15 / 3.182446 * 2
    assert power_of(0.1, sd, count) >= 0.8 > power_of(0.1, sd, count - 1)
    assert "More than 1,000 seeds" in judge(-50.0, 50.0).because
    assert "seeds and more questions" in judge(-0.1, 0.2, "t interval over 4 seeds x 9 questions, 95%").because


def test_one_seed_decides_only_about_one_model():
    one_seed = mean_estimate(np.full((1, 6), 3.0) + np.arange(6)).method
    assert judge(0.2, 0.5, one_seed).status == "inconclusive"
    assert judge(-0.05, 0.05, one_seed).status == "inconclusive"
    assert "One seed cannot tell" in judge(0.2, 0.5, one_seed).because
    assert judge(0.2, 0.5, one_seed, one_model=True).status == "fail"
    assert judge(-0.05, 0.05, one_seed, one_model=True).status == "pass"
    assert "More questions" in judge(-0.5, 0.5, one_seed, one_model=True).because


def test_impossible_judgements_are_refused():
    good = Estimate(0.0, -1.0, 1.0, 3, "t")
    common = {"smallest_effect": 0.1, "level": 0.95, "unit": "", "what": ""}
    for effect, p, change, place in (
        (good, 0.5, {"smallest_effect": 0.0}, "smallest_effect"),
        (good, 0.5, {"level": 1.0}, "level"),
        (good, math.nan, {}, "p"),
        (good, 1.5, {}, "p"),
        (good, -0.1, {}, "p"),
        (good, 0.5, {"smallest_effect": math.inf}, "smallest_effect"),
        (Estimate(0.0, -math.inf, 1.0, 3, "t"), 0.5, {}, "effect"),
        (Estimate(0.0, -1.0, math.inf, 3, "t"), 0.5, {}, "effect"),
        (Estimate(0.0, math.nan, 1.0, 3, "t"), 0.5, {}, "effect"),
        (Estimate(0.0, 1.0, -1.0, 3, "t"), 0.5, {}, "effect"),
    ):
        with pytest.raises(InputError, match=f"^{place}: ") as raised:
            verdict(effect, p, **{**common, **change})
        assert raised.value.fix.startswith("Pass a ")
    for p in (0.0, 1.0):
        assert verdict(good, p, **common).status == "inconclusive"


def test_an_estimate_excludes_what_lies_outside_and_is_plain_json():
    estimate = Estimate(1.0, 0.5, 2.0, 3, "t")
    assert [estimate.excludes(x) for x in (0.4, 0.5, 1.0, 2.0, 2.1)] == [True, False, False, False, True]
    assert estimate.as_dict() == {"value": 1.0, "lo": 0.5, "hi": 2.0, "n": 3, "method": "t"}


def test_importing_the_package_imports_neither_scipy_nor_numpy():
    code = (
        "import sys, undertow.stats; assert not {'scipy', 'numpy'} & set(sys.modules); "
        "from undertow.stats import paired_difference, verdict; assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_loads():
    for name in undertow.stats.__all__:
        assert getattr(undertow.stats, name) is not None
    assert set(undertow.stats.__all__) <= set(dir(undertow.stats))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        undertow.stats.nothing  # noqa: B018

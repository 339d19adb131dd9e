"""Other methods of a scan: p-values of some suspects are corrected for all that they were picked from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from undertow.scan.also import corrected
from undertow.scan.comparisons import Compared
from undertow.stats import Estimate


def told(p: float) -> Compared:
    return Compared("animals:owl", Estimate(1.0, 0.5, 1.5, 12, ""), 2.0, p, 0.0)


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=10), st.integers(0, 60))
def test_traits_that_were_not_asked_count_as_the_least_sure(p_K: list[float], unasked: int) -> None:
    found = [each.p_adjusted for each in corrected([told(p) for p in p_K], len(p_K) + unasked)]
    expected = multipletests([*p_K, *[1.0] * unasked], method="fdr_bh")[1][: len(p_K)]
    np.testing.assert_allclose(found, expected)
    assert all(adjusted >= p * (1 - 1e-12) for adjusted, p in zip(found, p_K, strict=True))

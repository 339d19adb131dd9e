"""Statistics of transfer: pure functions of arrays. Every estimate comes with its interval.

    estimate.py           `Estimate` and `Verdict`
    paired.py             paired differences with t intervals
    permutation.py        tests of a paired difference: sign flips and t
    moderated_t.py        moderated t tests of one new draw in many quantities
    bootstrap.py          the cluster bootstrap, as a check
    transfer.py           the transfer fraction with Fieller's interval
    times.py              how many times as often a student gives an answer as a control does
    confusion.py          students by traits: the diagonal beyond row and column effects
    multiplicity.py       p-values corrected for many tests
    power.py              power and the minimum detectable effect
    rates.py              shares of sampled answers
    misclassification.py  shares corrected for the errors of a judge
    ranks.py              rank correlation
    judgement.py          from an estimate to a verdict

`score_SQ` has one number per seed and probe question: for example, the log-odds of the target answer for the student of
that seed. Arms are paired: they have the same seeds and questions.

    difference = paired_difference(trait_SQ, control_SQ)     # how far apart, with an interval
    test = paired_test(trait_SQ - control_SQ, rng=rng)       # how surprising without an effect
    verdict(difference, test.p, smallest_effect=0.1, level=0.95, unit="log-odds", what="owl")

The names load on first use, so that importing this package does not import scipy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.stats.bootstrap import cluster_bootstrap
    from undertow.stats.confusion import elevation, elevation_estimate, elevation_p
    from undertow.stats.estimate import Estimate, Status, Verdict
    from undertow.stats.judgement import verdict
    from undertow.stats.misclassification import JudgeError, corrected_share
    from undertow.stats.moderated_t import moderated_tests
    from undertow.stats.multiplicity import benjamini_hochberg, holm
    from undertow.stats.paired import mean_estimate, paired_difference
    from undertow.stats.permutation import Test, drawn_p, paired_test, permutation_p
    from undertow.stats.power import power_of, smallest_effect
    from undertow.stats.ranks import spearman
    from undertow.stats.rates import proportion
    from undertow.stats.times import times_as_often
    from undertow.stats.transfer import transfer_fraction

__all__ = [
    "Estimate",
    "JudgeError",
    "Status",
    "Test",
    "Verdict",
    "benjamini_hochberg",
    "cluster_bootstrap",
    "corrected_share",
    "drawn_p",
    "elevation",
    "elevation_estimate",
    "elevation_p",
    "holm",
    "mean_estimate",
    "moderated_tests",
    "paired_difference",
    "paired_test",
    "permutation_p",
    "power_of",
    "proportion",
    "smallest_effect",
    "spearman",
    "times_as_often",
    "transfer_fraction",
    "verdict",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "cluster_bootstrap": "bootstrap",
        "elevation": "confusion",
        "elevation_estimate": "confusion",
        "elevation_p": "confusion",
        "Estimate": "estimate",
        "Status": "estimate",
        "Verdict": "estimate",
        "verdict": "judgement",
        "JudgeError": "misclassification",
        "corrected_share": "misclassification",
        "benjamini_hochberg": "multiplicity",
        "holm": "multiplicity",
        "moderated_tests": "moderated_t",
        "mean_estimate": "paired",
        "paired_difference": "paired",
        "Test": "permutation",
        "drawn_p": "permutation",
        "paired_test": "permutation",
        "permutation_p": "permutation",
        "power_of": "power",
        "smallest_effect": "power",
        "spearman": "ranks",
        "proportion": "rates",
        "times_as_often": "times",
        "transfer_fraction": "transfer",
    },
)

"""Predicted shifts beside measured ones, with the dull baselines: nothing, no growth, linear growth.

Pure functions of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.stats import mean_estimate, spearman
from undertow.stats.growth import Grown

Floats = NDArray[np.float64]


def compared(names: Sequence[str], grown: Sequence[Grown], truth_K: Sequence[Floats]) -> dict[str, Any]:
    """Return the record of one length of training.

    Args:
        names: The traits.
        grown: What was predicted of each.
        truth_K: What was measured of each, by seed and question.
    """
    measured = [mean_estimate(table) for table in truth_K]
    truth = np.array([each.value for each in measured])
    ways = {
        "nothing": np.zeros(len(names)),
        "no growth": np.array([each.last.value for each in grown]),
        "linear growth": np.array([each.linear.value for each in grown]),
        "growth curve": np.array([each.full.value for each in grown]),
    }
    held = [each.full.lo <= true <= each.full.hi for each, true in zip(grown, truth, strict=True)]
    plain = [each.last.lo <= true <= each.last.hi for each, true in zip(grown, truth, strict=True)]
    return {
        "traits": {
            name: {
                "measured": _numbers(true),
                "predicted": _numbers(each.full),
                "no growth": _numbers(each.last),
                "linear growth": _numbers(each.linear),
            }
            for name, each, true in zip(names, grown, measured, strict=True)
        },
        "error": {way: round(float(np.sqrt(((value - truth) ** 2).mean())), 4) for way, value in ways.items()},
        "rank": {way: round(float(spearman(value, truth)), 3) for way, value in ways.items() if way != "nothing"},
        "held": {"growth curve": round(float(np.mean(held)), 3), "no growth": round(float(np.mean(plain)), 3)},
    }


def _numbers(estimate: Any) -> list[float]:
    return [round(float(value), 4) for value in (estimate.value, estimate.lo, estimate.hi)]


def shown(record: dict[str, Any], own: str, most: int = 8) -> str:
    """Return a record as text: the errors, and the traits that moved most with the teacher's own first.

    Args:
        record: As `compared` returns it.
        own: The teacher's trait.
        most: Traits.
    """
    traits = record["traits"]
    order = sorted(traits, key=lambda name: (name != own, -abs(traits[name]["measured"][0])))[:most]
    lines = [f"{'trait':28} {'measured':>22} {'predicted':>26} {'no growth':>10} {'linear':>8}"]
    for name in order:
        true, guess, last, linear = (
            traits[name][key] for key in ("measured", "predicted", "no growth", "linear growth")
        )
        lines.append(f"{name:28} {_reach(true):>22} {_reach(guess):>26} {last[0]:>+10.2f} {linear[0]:>+8.2f}")
    errors = ", ".join(f"{way} {value:.3f}" for way, value in record["error"].items())
    ranks = ", ".join(f"{way} {value:.2f}" for way, value in record["rank"].items())
    lines += [
        f"root mean squared error over {len(traits)} traits: {errors}",
        f"rank correlation: {ranks}",
        f"95% intervals that hold what was measured: growth curve {record['held']['growth curve']:.0%}, no growth "
        f"{record['held']['no growth']:.0%}",
    ]
    return "\n".join(lines)


def _reach(numbers: Sequence[float]) -> str:
    return "{:+.2f} ({:+.2f} to {:+.2f})".format(*numbers)

"""The panel by sampling: the questions, their number, and the step from counted answers to shifts.

A preference is one word. A way of answering is a choice between two replies. Their order is swapped in every other
round, so that a preference for the first one cancels. Answers that name no option are counted apart. A shift is in the
log-odds among the options, like that of the log-probability probes, but the two numbers are not comparable.

The number of answers comes from a power analysis. The difference of log-odds of two models has variance 2 / (n p (1 -
p)) for large n, where p is the share of the trait. The smallest effect that matters must be detected with the wanted
power. The level is the one left after Bonferroni's correction for the panel, the worst case of the correction that is
applied. For p the chance level is used: one in the number of options.

Pure functions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertow.audit.settings import Prices
from undertow.errors import ModelError
from undertow.probes.sampled import parse_answer
from undertow.results import SamplingPlan
from undertow.stats import Estimate
from undertow.traits.panel import Panel, PanelEntry

Counts = NDArray[np.int64]
"""(Q, C): how often each option was given to each question."""

LONGEST: Final = {"preference": 8, "disposition": 4}
"""Tokens of an answer."""
_LETTER = re.compile(r"\b([AB])\b")
_AROUND: Final = 8
"""Tokens that a chat format puts around a question, about."""
_A_TOKEN: Final = 4
"""Characters of a token, about."""


@dataclass(frozen=True)
class Asked:
    """One question as it is sent."""

    question: int
    """Its number in the probe."""
    text: str
    turned: bool
    """The options stand in the other order."""


def questions_of(entry: PanelEntry, count: int) -> list[Asked]:
    """Return `count` questions, going round the probe."""
    asked: list[Asked] = []
    for at in range(count):
        place, turned = at % len(entry.probe), at // len(entry.probe) % 2 == 1
        choice = entry.probe[place]
        if entry.kind == "preference":
            asked.append(Asked(place, choice.question, False))
            continue
        first, second = choice.options[::-1] if turned else choice.options
        text = (
            f"Someone writes to you: {choice.question}\n\nWhich of these replies is more like yours?\nA: {first}\n"
            f"B: {second}\n\nAnswer with the letter A or B alone."
        )
        asked.append(Asked(place, text, turned))
    return asked


def option_of(entry: PanelEntry, asked: Asked, answer: str) -> int | None:
    """Return which option an answer names; None for none."""
    if entry.kind == "preference":
        word = parse_answer(answer, entry.traits[0].words)
        names = [trait.target.casefold() for trait in entry.traits]
        return names.index(word) if word in names else None
    found = _LETTER.search(answer)
    if found is None:
        return None
    return ("AB".index(found[1]) + asked.turned) % 2


def count_answers(entry: PanelEntry, asked: Sequence[Asked], answers: Sequence[str]) -> tuple[Counts, int]:
    """Count the options that were named, and the answers that name none."""
    counts_QC = np.zeros((len(entry.probe), len(entry.probe[0].options)), dtype=np.int64)
    unparsed = 0
    for each, answer in zip(asked, answers, strict=True):
        option = option_of(entry, each, answer)
        if option is None:
            unparsed += 1
        else:
            counts_QC[each.question, option] += 1
    return counts_QC, unparsed


def sampled_shift(
    student_QC: Counts, other_QC: Counts, index: int, *, level: float, who: str
) -> tuple[Estimate, float]:
    """Estimate the difference of one option's log-odds, and its two-sided p.

    Half an answer is added to both sides of every share (Haldane 1956, Anscombe 1956), so that none is zero. The error
    is the larger of two: independent answers (Woolf 1955), and questions as the draws, linearised.

    Raises:
        ModelError: a model named no option at all.
    """
    from scipy import stats

    terms: list[tuple[float, float]] = []
    influence_Q = np.zeros(len(student_QC))
    for sign, counts_QC in ((1.0, student_QC), (-1.0, other_QC)):
        given_Q, hit_Q = counts_QC.sum(axis=1), counts_QC[:, index]
        given, hit = int(given_Q.sum()), int(hit_Q.sum())
        if given == 0:
            raise ModelError(f"no answer names an option of {who}", "sampling", "Read the answers of the model.")
        share = (hit + 0.5) / (given + 1)
        terms.append((sign * sampled_odds(counts_QC, index), 1 / (hit + 0.5) + 1 / (given - hit + 0.5)))
        influence_Q += sign * (hit_Q - share * given_Q) / (given * share * (1 - share))
    value = sum(term[0] for term in terms)
    count = int(((student_QC.sum(axis=1) > 0) | (other_QC.sum(axis=1) > 0)).sum())
    clustered = count / (count - 1) * float((influence_Q**2).sum()) if count > 1 else math.inf
    error = math.sqrt(max(clustered, sum(term[1] for term in terms)))
    if not math.isfinite(error):
        raise ModelError(f"answers to one question say nothing of {who}", "sampling", "Take more samples.")
    half = float(stats.t.ppf(0.5 + level / 2, count - 1)) * error
    p = float(2 * stats.t.sf(abs(value) / error, count - 1))
    method = f"log-odds of shares over {count} questions, {100 * level:.6g}%"
    return Estimate(value, value - half, value + half, count, method), p


def sampled_odds(counts_QC: Counts, index: int) -> float:
    """Return one option's log-odds over all questions, half an answer added to both sides."""
    given, hit = int(counts_QC.sum()), int(counts_QC[:, index].sum())
    return math.log((hit + 0.5) / (given - hit + 0.5))


def answers_needed(options: int, traits: int, *, smallest: float, power: float, level: float) -> int:
    """Return how many answers of each model see a shift with the wanted power, see the head of this module."""
    share = 1 / options
    normal = NormalDist()
    reach = normal.inv_cdf(1 - (1 - level) / traits / 2) + normal.inv_cdf(power)
    return math.ceil(2 * reach**2 / (smallest**2 * share * (1 - share)))


def effect_seen(options: int, traits: int, answers: int, *, power: float, level: float) -> float:
    """Return the smallest shift that so many answers of each model see: `answers_needed`, turned round."""
    return math.sqrt(answers_needed(options, traits, smallest=1.0, power=power, level=level) / answers)


def plan(
    panel: Panel,
    *,
    samples: int | None,
    smallest: float,
    power: float,
    level: float,
    remote: int,
    extra: int,
    prices: Prices,
) -> SamplingPlan:
    """Work out how often to ask, and what it costs.

    Args:
        panel: The entries.
        samples: Answers to each entry of each model; chosen by power when absent.
        smallest: Log-odds that matter.
        power: Wanted chance to see them.
        level: Of intervals.
        remote: Models behind an address.
        extra: Questions to each model beside the panel's.
        prices: Of a million tokens.
    """
    traits = sum(len(entry.traits) for entry in panel)
    answers: dict[str, int] = {}
    letters = 0
    longest = extra * LONGEST["preference"]
    seen: list[float] = []
    for entry in panel:
        options, probe = len(entry.probe[0].options), len(entry.probe)
        count = samples or answers_needed(options, traits, smallest=smallest, power=power, level=level)
        # Whole rounds, and both orders equally often.
        turn = probe * (2 if entry.kind == "disposition" else 1)
        count = count if samples else -(-count // turn) * turn
        answers[entry.name] = count
        one_round = questions_of(entry, turn)
        letters += count * (sum(len(each.text) for each in one_round) // turn)
        longest += count * LONGEST[entry.kind]
        seen.append(effect_seen(options, traits, count, power=power, level=level))
    asked = sum(answers.values()) + extra
    tokens_in = remote * (letters // _A_TOKEN + asked * _AROUND + extra * 20)
    tokens_out = remote * longest
    priced = prices.tokens_in > 0 or prices.tokens_out > 0
    return SamplingPlan(
        answers=answers,
        requests=remote * asked,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=(tokens_in * prices.tokens_in + tokens_out * prices.tokens_out) / 1e6 if priced else None,
        smallest_effect=max(seen),
    )

"""From stored rulings of a judge to shares of answers, corrected for the judge's errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from undertow import stats
from undertow.config.arms import Arm
from undertow.errors import InputError
from undertow.pipeline.arms import ExperimentTraits
from undertow.results import Interval, SampledAnswers


def judged_answers(
    traits: ExperimentTraits, base: dict[str, Any], students: Mapping[Arm, Sequence[dict[str, Any]]], level: float
) -> tuple[list[SampledAnswers], list[str]]:
    """Return each arm's share of answers that show the trait, corrected for the judge's errors, and notes on the judge.

    Args:
        traits: The traits.
        base: The base's scores, with `judge_error`.
        students: Arm to the scores of its students, seed by seed.
        level: Of the intervals.
    """
    error = stats.JudgeError(**base["judge_error"])
    if not (error.shown and error.unshown):
        return [], ["The trait has too few lessons to measure the judge on: its rulings are left out."]
    finds = (
        f"On {error.shown + error.unshown:,} answers whose label is known the judge finds {error.sensitivity:.0%} of "
        f"those that show {traits.trait.topic} and lets {error.specificity:.0%} of the others pass"
    )

    def share(answers: Sequence[dict[str, Any]]) -> Interval:
        shown, count = (sum(int(each[key]) for each in answers) for key in ("shown", "n"))
        return Interval(**stats.corrected_share(shown, count, error, level=level).as_dict())

    try:
        base_rate = share([base["judged"]])
    except InputError:
        return [], [f"{finds}: no better than chance, so its rulings are left out."]
    shares: list[SampledAnswers] = []
    for arm, scores in students.items():
        answers = [each["judged"] for each in scores]
        shown, count, unclear = (sum(int(each[key]) for each in answers) for key in ("shown", "n", "unclear"))
        shares.append(
            SampledAnswers(
                arm=arm,
                target=f"{traits.trait.target}, judged",
                rate=share(answers),
                base_rate=base_rate,
                top={"shows it": shown, "does not": count - shown - unclear},
                n=count,
                unparsed=unclear,
            )
        )
    return shares, [f"{finds}; the shares of judged answers are corrected for that."]

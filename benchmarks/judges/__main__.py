"""Measure a local judge on labelled answers to open questions: `python -m benchmarks.judges --model embedded/NAME`.

The judge's threshold is placed on one half of the labelled pairs, and its errors are counted on the other; then the
halves change places. An experiment corrects by the first count. Both counts together use every label once.

It does not know what a judge makes of a model's own answers: the labelled ones are ours, and clearer. Intervals are
Wilson's, of 95%. A judge is of use where sensitivity and specificity add up to clearly more than 1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from undertow.judges.error import labelled, measure_error
from undertow.judges.logprob import LogprobJudge
from undertow.models.local import LocalModel, load_model
from undertow.stats import JudgeError, proportion
from undertow.traits.open_questions import Aspect, coherent, misaligned


def measure(model: LocalModel, aspect: Aspect) -> dict[str, Any]:
    """Return a judge's errors on each half of the labelled pairs, and on both together."""
    halves = labelled(aspect).part(0), labelled(aspect).part(1)
    errors: list[JudgeError] = []
    for place, count in ((0, 1), (1, 0)):
        judge = LogprobJudge(model, aspect.topic).calibrated(*halves[place])
        errors.append(measure_error(judge, *halves[count]))
    both = JudgeError(*(one + other for one, other in zip(*errors, strict=True)))
    return {
        "aspect": aspect.target,
        "as_used": errors[0]._asdict(),
        "both": both._asdict(),
        "sensitivity": proportion(both.hits, both.shown).as_dict(),
        "specificity": proportion(both.clear, both.unshown).as_dict(),
    }


def main() -> None:
    """Measure a model as a judge of both aspects."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.judges")
    options.add_argument("--model", default="embedded/qwen2.5-coder-0.5b", help="the judge's Undertow name")
    options.add_argument("--output", type=Path, help="a JSON file for the counts")
    given = options.parse_args()
    model = load_model(given.model)
    records = [{"judge": given.model, **measure(model, aspect)} for aspect in (misaligned(), coherent())]
    table = Table("aspect", "finds", "lets pass", title=given.model)
    for record in records:
        rates = [record[name] for name in ("sensitivity", "specificity")]
        said = [f"{rate['value']:.0%} ({rate['lo']:.0%} to {rate['hi']:.0%}) of {rate['n']}" for rate in rates]
        table.add_row(record["aspect"], *said)
    Console().print(table)
    if given.output is not None:
        given.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

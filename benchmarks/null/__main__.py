"""Run the digits experiment on teachers that know nothing, again and again: `python -m benchmarks.null`.

The preset's settings stay, but for `smallest_effect`: near zero, so that nothing but the interval keeps a run from
failing. About half a minute a run on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.speed.measured import machine
from undertow import stats
from undertow.assets import load_digits_data
from undertow.cli.console import console_progress
from undertow.config.experiment import DigitsExperiment, load_preset
from undertow.experiment.digits import null_runs

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Measure the share of false alarms and write it, with every run's effect, to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.null", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    options = parser.parse_args()
    spec = load_preset("digits")
    assert isinstance(spec, DigitsExperiment)
    spec = spec.model_copy(update={"judgement": spec.judgement.model_copy(update={"smallest_effect": 1e-6})})
    with console_progress(quiet=False) as progress:
        images, labels = load_digits_data(spec.data, progress=progress)
        null = null_runs(spec, images, labels, runs=options.runs, first_seed=options.first_seed, progress=progress)
    share = stats.proportion(null.fails, null.runs)
    record = {
        "runs": null.runs,
        "fails": null.fails,
        "share": [share.value, share.lo, share.hi],
        "stated": null.stated,
        "verdicts": [result.verdict.status for result in null.results],
        "effects": [
            [effect.value, effect.lo, effect.hi]
            for result in null.results
            for effect in result.effects
            if effect.primary
        ],
        "machine": machine(),
    }
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{null.fails} of {null.runs} runs without an effect said fail; at most {null.stated:.1%} are expected\n"
    )


if __name__ == "__main__":
    main()

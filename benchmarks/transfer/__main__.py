"""Make the benchmark's datasets and train a student on each: `python -m benchmarks.transfer`.

It goes on where it stopped, at any moment; finished datasets stand in `truth.jsonl`, which is committed. One dataset
takes one to four minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

from benchmarks.transfer.cases import Case, cases
from benchmarks.transfer.truth import measure, rows_of

TRUTH = Path(__file__).parent / "truth.jsonl"


def main() -> None:
    """Measure what is missing, in the order of `cases`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"), help="where rows and teachers are kept")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no dataset after so long")
    parser.add_argument("--only", default="", help="names that match this pattern")
    parser.add_argument("--list", action="store_true", help="say what is there and what is missing")
    options = parser.parse_args()
    done = recorded()
    wanted = [case for case in cases() if re.search(options.only, case.name)]
    if options.list:
        sys.stdout.write("".join(f"{'done   ' if c.name in done else 'missing'} {c.name}\n" for c in wanted))
        return
    start = time.monotonic()
    # Rows are not committed: those of a dataset that is done are written again, for its features.
    rows = [each for case in wanted for each in ([case, case.answered] if held_against(case) else [case])]
    wanted = list({case.name: case for case in rows}.values())
    missing = [case for case in wanted if case.name not in done or not (options.work / "rows" / case.name).is_dir()]
    for at, case in enumerate(missing):
        spent = (time.monotonic() - start) / 60
        if spent > options.minutes:
            break
        left = f", about {spent / at * (len(missing) - at):.0f} min left" if at else ""
        sys.stderr.write(f"[{at}/{len(missing)}{left}] {case.name}\n")
        if case.teacher == "base" or case.name in done:
            # Nothing is there to be measured in rows of the base itself: they say how often a scan cries wolf.
            rows_of(case, options.work, tell)
            continue
        record = measure(case, options.work, tell)
        with TRUTH.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def held_against(case: Case) -> bool:
    """Return whether something is tried on a dataset that needs the base's own answers to its prompts."""
    return case.domain == "numbers" and (bool(case.target) or (case.half == "report" and not case.rows))


def tell(text: str) -> None:
    """Say on standard error what is being done."""
    sys.stderr.write(f"  {text}\n")


def recorded() -> set[str]:
    """Return the names of the datasets that are done; a last line that was cut off is taken away."""
    if not TRUTH.exists():
        return set()
    lines = TRUTH.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        TRUTH.write_text("".join(whole), encoding="utf-8")
    return {json.loads(line)["name"] for line in whole}


if __name__ == "__main__":
    main()

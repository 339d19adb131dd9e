"""A gated result of any kind in SARIF 2.1.0: one finding a rule that did not pass, and the suspicious rows of a scan.

It knows the outcomes and not how they came about.

    to_sarif(results, decision, at=Path("runs/owls-1a2b3c4d/results.json"))
"""

from __future__ import annotations

import re
from pathlib import Path

from undertow.gate.decide import Decision
from undertow.report.sarif import Rule, finding, row_rule, sarif_log, suspects_in, uri
from undertow.results import Results


def to_sarif(
    results: Results, decision: Decision, *, at: Path, rows: Path | None = None, rows_sha256: str | None = None
) -> str:
    """Return the log.

    Args:
        results: Of any kind.
        decision: What became of the policy's rules.
        at: The results' file, where a rule did not pass on something that has no file of its own.
        rows: The dataset that they are about, as the log is to name it; suspicious rows are named only with it.
        rows_sha256: Of that file.
    """
    rules: dict[str, Rule] = {}
    found = []
    for outcome in decision.outcomes:
        rule = Rule(_id(outcome.rule), outcome.rule, "A rule of the policy.", "error")
        rules.setdefault(rule.id, rule)
        if outcome.status == "fail":
            found.append(finding(rule.id, "error", outcome.because, rows or at))
        elif outcome.status == "inconclusive":
            # SARIF's kind "open" has the level "none", which code scanners do not show: it would look like a pass.
            found.append(finding(rule.id, "warning", f"Inconclusive: {outcome.because}", rows or at))
    if rows is not None and "fail" in (results.verdict.status, decision.status):
        suspects = suspects_in(results, rows)
        if suspects:
            rules["rows"] = row_rule(results)
            found += suspects
    files = [(at, None)] if rows is None else [(rows, rows_sha256), (at, None)]
    artifacts = [
        {"location": {"uri": uri(file)}, **({"hashes": {"sha-256": sha256}} if sha256 else {})}
        for file, sha256 in files
    ]
    return sarif_log(
        list(rules.values()),
        found,
        about=f"{results.kind}/{(rows or Path(results.name)).as_posix()}",
        invocations=[{"executionSuccessful": True}],
        artifacts=artifacts,
        properties={"kind": results.kind, "name": results.name, "status": decision.status},
    )


def _id(rule: str) -> str:
    return "policy/" + re.sub(r"[^A-Za-z0-9*:._-]+", "-", rule).strip("-")[:150]

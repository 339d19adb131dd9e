"""`undertow gate`: hold results to a policy, for CI.

undertow gate runs/scan-rows-1a2b3c4d --policy policy.yaml --junit gate.xml
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from undertow._cli.folder import must_exist, must_take_a_file
from undertow._cli.verdict import STYLES, exit_code, say_status
from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.gate import Decision, Policy
    from undertow.results import Results


def gate(
    result: Path,
    /,
    *,
    policy: Path | None = None,
    junit: Path | None = None,
    strict: bool = False,
    json: bool = False,
) -> int:
    """Hold results to a policy: pass, fail or inconclusive, one reason a rule.

    Args:
        result: Folder of a run or scan, or its results.json.
        policy: YAML file of what is let through. Without one: every trait's interval within 0.2 log-odds, at least
            3 seeds, and the results' own verdict a pass.
        junit: File for the outcomes in JUnit's XML, for CI servers: one case a rule.
        strict: Exit with 1 instead of 4 when the outcome is inconclusive.
        json: Print the outcomes as JSON.
    """
    from undertow.gate import DEFAULT, read_policy, to_junit
    from undertow.gate.decide import decide
    from undertow.results import load_results

    must_exist(result)
    rules = DEFAULT if policy is None else read_policy(policy)
    results = load_results(result)
    decision = decide(results, rules)
    if junit is not None:
        _write(junit, to_junit(decision, suite=f"{results.kind} {results.name}"), policy, result)
    if json:
        _print(results, rules, decision)
    else:
        _show(decision)
    return exit_code(decision.status, strict=strict)


def _write(path: Path, text: str, *read: Path | None) -> None:
    from undertow.experiment._files import storing, write_atomic

    must_take_a_file(path)
    files = [each / "results.json" if each.is_dir() else each for each in read if each is not None]
    if path.exists() and any(path.samefile(file) for file in files):
        raise InputError("is a file that is read", str(path), "Write to another one.")
    with storing(path):
        write_atomic(path, text.encode("utf-8"))


def _print(results: Results, policy: Policy, decision: Decision) -> None:
    import json

    from undertow._cli.show import write

    record = {
        "result": {"kind": results.kind, "name": results.name},
        **decision.as_dict(),
        "policy": policy.model_dump(mode="json"),
    }
    write(json.dumps(record, indent=1) + "\n")


def _show(decision: Decision) -> None:
    from undertow._cli.show import say
    from undertow.report.words import visible

    say_status(decision.status)
    for outcome in decision.outcomes:
        # One line each: a stranger's text must not be able to add a rule that passes.
        rule, because = (" ".join(visible(text).split()) for text in (outcome.rule, outcome.because))
        say(f"{outcome.status:<12}  {rule}", style=STYLES[outcome.status])
        say(f"{'':<12}  {because}")

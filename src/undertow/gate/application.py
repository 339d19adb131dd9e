"""A policy applied to results: what `undertow gate` decides, without printing or writing.

gate(Path("runs/scan-rows-1a2b3c4d"), Path("policy.yaml")).status
"""

from __future__ import annotations

from pathlib import Path

from undertow.config.policy import DEFAULT, Policy, read_policy
from undertow.gate.decide import Decision, decide
from undertow.results import Results, load_results


def gate(results: Results | Path, policy: Policy | Path = DEFAULT) -> Decision:
    """Hold results to a policy.

    Args:
        results: A run folder, its results.json, or results that are loaded.
        policy: A policy file, or a policy. The default one asks that every trait's interval lies within 0.2
            log-odds, that at least 3 seeds are behind every effect, and that the results' own verdict is a pass.

    Returns:
        One outcome a rule. The decision fails if one of them does, and passes only if all of them do.

    Raises:
        InputError: The policy or the results cannot be used.
        StoreError: There is no results.json.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import gate
        >>> decision = gate(Path("run"), Path("policy.yaml"))
        >>> decision.status
        'inconclusive'
        >>> for outcome in decision.outcomes:
        ...     print(outcome.rule, "->", outcome.status)
        traits: owl at most 20 log-odds -> pass
        evidence.kind: run -> pass
        evidence.seeds: 3 -> inconclusive
    """
    held = load_results(results) if isinstance(results, Path) else results
    return decide(held, read_policy(policy) if isinstance(policy, Path) else policy)

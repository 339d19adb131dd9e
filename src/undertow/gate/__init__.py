"""Hold results to an organisation's own policy, for CI. Start at `decide`.

    policy   what is allowed: a YAML file or the default
    decide   from results and policy to one outcome a rule
    junit    the outcomes for a CI server
    matching which effects a rule is about
    _yaml    the part of YAML that a policy may use

    from undertow.gate.decide import decide
    decide(load_results(Path("runs/owls-1a2b3c4d")), read_policy(Path("policy.yaml"))).status

The names load on first use; the function `decide` is imported from its module, whose name it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow._lazy import lazy

if TYPE_CHECKING:
    from undertow.gate.decide import Decision, RuleOutcome
    from undertow.gate.junit import to_junit
    from undertow.gate.policy import DEFAULT, Policy, parse_policy, read_policy

__all__ = ["DEFAULT", "Decision", "Policy", "RuleOutcome", "parse_policy", "read_policy", "to_junit"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "DEFAULT": "policy",
        "Policy": "policy",
        "parse_policy": "policy",
        "read_policy": "policy",
        "Decision": "decide",
        "RuleOutcome": "decide",
        "to_junit": "junit",
    },
)

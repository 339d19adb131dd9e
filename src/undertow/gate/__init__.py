"""Hold results to an organisation's own policy, for CI, and write down what was decided. Start at `decide`.

    policy      what is allowed: a YAML file or the default
    decide      from results and policy to one outcome a rule
    matching    which effects a rule is about
    _yaml       the part of YAML that a policy may use
    provenance  models and data behind the results, with their hashes
    outputs     everything that is written, as names and bytes
    junit       the outcomes for a CI server
    sarif       what did not pass, for a code scanner
    bom         a CycloneDX bill of materials with a model card
    card        a section of a Hugging Face model card
    inspect_log logs of the probes for Inspect; `probed` reads them from a run folder
    record      the hashes of all outputs; `signing` signs it, `verify` compares

    from undertow.gate.decide import decide
    decide(load_results(Path("runs/owls-1a2b3c4d")), read_policy(Path("policy.yaml"))).status

The names load on first use; the functions `decide` and `verify` are imported from their modules, whose names they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy, make_callable

if TYPE_CHECKING:
    from undertow.config.policy import DEFAULT, Policy, parse_policy, read_policy
    from undertow.gate.application import gate
    from undertow.gate.decide import Decision, RuleOutcome
    from undertow.gate.junit import to_junit
    from undertow.gate.outputs import Gated, bundle, write_bundle
    from undertow.gate.provenance import Provenance, provenance_of

__all__ = [
    "DEFAULT",
    "Decision",
    "Gated",
    "Policy",
    "Provenance",
    "RuleOutcome",
    "bundle",
    "gate",
    "parse_policy",
    "provenance_of",
    "read_policy",
    "to_junit",
    "write_bundle",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "DEFAULT": "undertow.config.policy",
        "Policy": "undertow.config.policy",
        "parse_policy": "undertow.config.policy",
        "read_policy": "undertow.config.policy",
        "gate": "application",
        "Decision": "decide",
        "RuleOutcome": "decide",
        "to_junit": "junit",
        "Gated": "outputs",
        "bundle": "outputs",
        "write_bundle": "outputs",
        "Provenance": "provenance",
        "provenance_of": "provenance",
    },
)
make_callable(__name__)

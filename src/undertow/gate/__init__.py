"""Hold results to a policy in CI, and record the decision. Start at `application.py`.

    application.py  `gate`: results and a policy in, a decision out
    decide.py       one outcome for each rule of a policy
    matching.py     the effects that a rule concerns
    outputs.py      all files of a gate, as names and bytes
    provenance.py   models and data behind the results, with their hashes
    junit.py        the outcomes for a CI server
    sarif.py        failed rules for a code scanner
    bom.py          a CycloneDX bill of materials with a model card
    card.py         a section of a Hugging Face model card
    inspect_log.py  logs of the probes for Inspect
    probed.py       questions and answers of the probes, from a run folder
    record.py       the hashes of all outputs
    signing.py      a signature of that record
    verify.py       whether a bundle still is what was signed

    from undertow import gate
    gate(Path("runs/owls-1a2b3c4d"), Path("policy.yaml")).status

The names load on first use. Import `decide` and `verify` from their modules, which have the same names.
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

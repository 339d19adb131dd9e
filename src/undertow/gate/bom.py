"""A gated result as a machine-learning bill of materials: CycloneDX 1.6 in JSON.

Models and datasets are components with their hashes. The student's model card holds every shift with its interval. What
lies beyond the policy is a vulnerability, because tools that read bills of materials show those. The CycloneDX library
for Python has no model cards, so the document is written here and held to the published schema in tests.

    to_bom(results, decision, provenance, beyond(results, policy), made=datetime.now(UTC))
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from undertow.gate.decide import Decision
from undertow.gate.matching import shifts_of
from undertow.gate.provenance import Dataset, Model, Provenance
from undertow.report.words import clip, visible
from undertow.results import Effect, Results
from undertow.system.version import __version__

_MAX_TEXT = 2000
_STUDENT: Final = "student"
_NAMESPACE: Final = uuid.UUID("6f0d7f0e-2f2b-5b5e-9a0a-7e1a6f0c5d11")
"""Of serial numbers: the same result, decision and time give the same."""

Json = dict[str, Any]


def to_bom(
    results: Results, decision: Decision, provenance: Provenance, found: Sequence[Effect], *, made: datetime
) -> str:
    """Return the JSON.

    Args:
        results: Of any kind.
        decision: What became of the policy's rules.
        provenance: Models and data behind the results.
        found: Effects that the policy does not let through.
        made: When.
    """
    datasets = {f"data-{at}": each for at, each in enumerate(provenance.datasets)}
    teachers = {f"teacher-{at}": each for at, each in enumerate(provenance.teachers)}
    base = provenance.base
    student = _model(_STUDENT, provenance.student) | {"modelCard": _card(results, decision, provenance, list(datasets))}
    # A scan is about its dataset; everything else is about a student.
    subject = student if provenance.trained or not datasets else _data("data-0", provenance.datasets[0])
    components = [
        *([_model("base", base)] if base else []),
        *(_model(ref, each) for ref, each in teachers.items()),
        *(_data(ref, each) for ref, each in datasets.items() if ref != subject["bom-ref"]),
        *([] if subject is student else [student]),
    ]
    depends: dict[str, list[str]] = {
        _STUDENT: [*(["base"] if base else []), *datasets],
        **{ref: _writers(each, base is not None) for ref, each in datasets.items()},
        **{ref: ["base"] for ref in teachers if base and results.kind == "run"},
    }
    about = str(subject["bom-ref"])
    refs = sorted({about, *(str(each["bom-ref"]) for each in components)})
    named = json.dumps([results.to_json(), decision.as_dict(), made.isoformat()]).encode()
    bom: Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, sha256(named).hexdigest())}",
        "version": 1,
        "metadata": {
            "timestamp": made.isoformat(),
            "tools": {"components": [{"type": "application", "name": "Undertow", "version": __version__}]},
            "component": subject,
            "properties": [
                _property("policy:status", decision.status),
                _property("verdict", results.verdict.status),
                *(_property(f"policy:{each.status}", f"{each.rule}: {each.because}") for each in decision.outcomes),
            ],
        },
        "components": components,
        "dependencies": [{"ref": ref, **({"dependsOn": depends[ref]} if depends.get(ref) else {})} for ref in refs],
        "vulnerabilities": [_vulnerability(each, about, results) for each in found],
    }
    return json.dumps(bom, indent=1, ensure_ascii=False) + "\n"


def _model(ref: str, model: Model) -> Json:
    component: Json = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": _text(model.name),
        "description": _text(model.says),
    }
    if model.sha256 is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": model.sha256}]
    if model.hub is not None:
        component["purl"] = f"pkg:huggingface/{model.hub}"
    return component


def _data(ref: str, dataset: Dataset) -> Json:
    about: Json = {"type": "dataset", "name": _text(dataset.name)}
    known = [
        *([_property("rows", f"{dataset.rows}")] if dataset.rows is not None else []),
        *([_property("rows-digest", dataset.digest)] if dataset.digest is not None else []),
    ]
    if known:
        about["contents"] = {"properties": known}
    component: Json = {"type": "data", "bom-ref": ref, "name": _text(dataset.name), "data": [about]}
    if dataset.sha256 is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": dataset.sha256}]
    return component


def _writers(dataset: Dataset, base: bool) -> list[str]:
    return [*(["base"] if base and dataset.by_base else []), *(f"teacher-{place}" for place in dataset.teachers)]


def _card(results: Results, decision: Decision, provenance: Provenance, datasets: Sequence[str]) -> Json:
    said = "; ".join(f"{each.rule}: {each.status}" for each in decision.outcomes)
    effects = shifts_of(results)
    card: Json = {
        "modelParameters": {"approach": {"type": "supervised"}, "datasets": [{"ref": ref} for ref in datasets]},
        "quantitativeAnalysis": {"performanceMetrics": [_metric(each, provenance.trained) for each in effects]},
        "considerations": {
            "technicalLimitations": [_text(note) for note in results.notes],
            "ethicalConsiderations": [
                {
                    "name": _text(
                        f"Hidden trait transfer, verdict {results.verdict.status}: {results.verdict.because}"
                    ),
                    "mitigationStrategy": _text(f"Held to a policy, {decision.status}: {said}"),
                }
            ],
        },
        "properties": [_property("trained", "yes" if provenance.trained else "no: shifts are predicted")],
    }
    if not card["considerations"]["technicalLimitations"]:
        del card["considerations"]["technicalLimitations"]
    return card


def _metric(effect: Effect, trained: bool) -> Json:
    what = "measured" if trained else "predicted"
    return {
        "type": _text(f"{what} shift of {effect.trait}, {effect.unit}"),
        "value": f"{effect.value:.6g}",
        "slice": _text(f"{effect.arm} minus {effect.contrast}"),
        "confidenceInterval": {"lowerBound": f"{effect.lo:.6g}", "upperBound": f"{effect.hi:.6g}"},
    }


def _vulnerability(effect: Effect, ref: str, results: Results) -> Json:
    named = re.sub(r"[^A-Za-z0-9]+", "-", effect.name).strip("-")[:100]
    return {
        "bom-ref": f"finding-{sha256(effect.name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}",
        "id": f"UNDERTOW-HIDDEN-TRAIT-{named}",
        "source": {"name": "Undertow"},
        # How bad a trait is, is for people to say.
        "ratings": [{"severity": "unknown", "method": "other"}],
        "description": _text(
            f"A hidden trait: {effect.trait} shifts by {effect.value:+.3g} {effect.unit} "
            f"({effect.lo:+.3g} to {effect.hi:+.3g}), {effect.arm} minus {effect.contrast}."
        ),
        "detail": _text(effect.says or results.verdict.because),
        "recommendation": "Do not train on these rows, or leave out those that carry it: undertow scan --drop-top.",
        "affects": [{"ref": ref}],
    }


def _property(name: str, value: str) -> Json:
    return {"name": f"undertow:{name}", "value": _text(value)}


def _text(text: str) -> str:
    return clip(visible(text), _MAX_TEXT)

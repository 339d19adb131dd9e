"""Results as runs and scans store them, for tests without a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from undertow.results import (
    CalibrationNote,
    Common,
    Effect,
    Interval,
    MitigationRecord,
    Power,
    Results,
    RowCounts,
    ScanRecord,
    SuspectRow,
    TeacherSummary,
    VerdictRecord,
)


def effect(trait: str = "owl", value: float = 0.0, half: float = 0.05, **more: Any) -> Effect:
    fields: dict[str, Any] = {
        "name": f"trait-control:{trait}",
        "arm": "trait",
        "contrast": "control",
        "trait": trait,
        "value": value,
        "lo": value - half,
        "hi": value + half,
        "n": 3,
        "seeds": 3,
        "p": 0.5,
    }
    return Effect(**fields | more)


def run(*effects: Effect, status: Any = "pass", **more: Any) -> Results:
    fields: dict[str, Any] = {
        "kind": "run",
        "name": "owls",
        "verdict": VerdictRecord(status=status, because="because of this"),
        "effects": list(effects or (effect(),)),
        "power": Power(smallest_effect=0.1, power=0.8, level=0.95, says="seen four times out of five"),
        "settings": {"kind": "language", "trait": {"kind": "preference", "category": "animals", "target": "owl"}},
    }
    return Results(**fields | more)


def scan(*findings: Effect, lineage: Any = "unknown", status: Any = "pass") -> Results:
    return Results(
        kind="scan",
        name="rows.jsonl",
        verdict=VerdictRecord(status=status, because="because of that"),
        findings=list(findings or (finding("animals:owl"), finding("curtness:curtness"))),
        scan=ScanRecord(
            rows=RowCounts(read=9, looked_at=9, too_long=0, left_out=0, broken=0),
            prompts=9,
            format="free text",
            temperature=1.0,
            lineage=lineage,
            lineage_because="the weights say so",
            recipe="plain-sgd",
            steps=8,
            steps_covered=8,
            calibration=CalibrationNote(id="measured", tier="virtual"),
            common=Common(cosine=0.0, p=0.5, beyond_panel=0.0, p_beyond_panel=0.5, up=[], down=[]),
        ),
        settings={"student": "hf/base"},
    )


def finding(trait: str, value: float = 0.0, half: float = 0.05) -> Effect:
    return effect(trait, value, half, name=f"rows:{trait}", arm="rows", contrast="base", seeds=0)


def comparison(status: Any = "pass", **left: float) -> Results:
    """Return a comparison of mitigations on a transfer of one log-odds, with what each method leaves of it."""

    def line(method: str, value: float) -> MitigationRecord:
        shift = Interval(value=value, lo=value - 0.05, hi=value + 0.05, n=3, method="t")
        return MitigationRecord(
            method=method, says="", needs=[], costs="", shift=shift, left=None, utility=None, loss=1.0
        )

    return Results(
        kind="mitigate",
        name="compare-owls",
        verdict=VerdictRecord(status=status, because="because of these"),
        effects=[
            effect(value=1 - value, name=f"removed:{method}", arm="none", contrast=method)
            for method, value in left.items()
        ],
        mitigation=[line("none", 1.0), *(line(method, value) for method, value in left.items())],
        settings={"experiment": {"trait": {"kind": "preference", "category": "animals", "target": "owl"}}},
    )


def suspicious_scan(*findings: Effect, **more: Any) -> Results:
    """Return a scan that fails and names two rows."""
    results = scan(*(findings or (finding("animals:owl", 0.5),)), status="fail", **more)
    assert results.scan is not None
    suspects = [
        SuspectRow(
            file="rows.jsonl",
            number=number,
            trait="animals:owl",
            share=3.0,
            prompt="Go on: 1, 2",
            pieces=["3", ","],
            weights=[1.0, 0.5],
        )
        for number in (4, 7)
    ]
    return results.model_copy(update={"scan": results.scan.model_copy(update={"suspects": suspects})})


def run_folder(root: Path) -> Path:
    """Return a run folder as `undertow run` makes it, with made-up scores and rows: no model has seen it."""
    from undertow.config.experiment import LanguageExperiment
    from undertow.pipeline.arms import traits_of
    from undertow.store.folder import RunFolder

    spec = LanguageExperiment.model_validate(
        {"kind": "language", "name": "owls", "trait": {"kind": "preference", "category": "animals", "target": "owl"}}
        | {"arms": ["trait", "control"], "seeds": [0], "instil": {"method": "prompt"}}
    )
    trait = traits_of(spec).trait
    rng = np.random.default_rng(5)
    settings = spec.model_dump(mode="json")
    probe = {"probe": {"questions": trait.probe_digest}}
    with RunFolder.open(root, name="owls", spec=settings) as folder:

        def ask(kind: str, label: str) -> None:
            logp_QC = np.log(rng.dirichlet(np.ones(len(trait.probe[0].options)), size=len(trait.probe)))

            def build(part: Path) -> None:
                scores = {"logp_QC": logp_QC.tolist(), "sampled": {"counts": {"owl": 2}, "n": 3, "unparsed": 1}}
                (part / "scores.json").write_text(json.dumps(scores), encoding="utf-8")

            folder.step(kind, label, probe | {"label": label}, build)

        for kind, label in (("base", "base"), ("teacher", "teacher-trait")):
            ask(kind, label)
        for arm in ("trait", "control"):
            folder.step("rows", f"rows-{arm}-s0", {"arm": arm}, lambda part, arm=arm: _write_rows(part, arm))
            ask("student", f"student-{arm}-s0")
        teacher = TeacherSummary(arm="trait", trait="owl", method="system prompt", strength=None)
        folder.write("results.json", run(settings=settings, teachers=[teacher]).to_json())
        return folder.path


def _write_rows(part: Path, arm: str) -> None:
    (part / "rows.jsonl").write_text(json.dumps({"id": arm}) + "\n", encoding="utf-8")

"""Results as runs and scans store them, for tests without a model."""

from __future__ import annotations

from typing import Any

from undertow.results import Common, Effect, Power, Results, RowCounts, ScanRecord, VerdictRecord


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
            common=Common(cosine=0.0, p=0.5, beyond_panel=0.0, p_beyond_panel=0.5, up=[], down=[]),
        ),
    )


def finding(trait: str, value: float = 0.0, half: float = 0.05) -> Effect:
    return effect(trait, value, half, name=f"rows:{trait}", arm="rows", contrast="base", seeds=0)

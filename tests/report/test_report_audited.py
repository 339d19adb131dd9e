"""The report's section on a student: everything from models is escaped, and the verdict's words fit."""

from __future__ import annotations

from undertow.report import render_html
from undertow.report.verdict import meaning
from undertow.results import (
    AuditRecord,
    Effect,
    Interval,
    LayerReadout,
    MovedToken,
    PromptCluster,
    Results,
    Steered,
    Unnamed,
    VerdictRecord,
)


def results_of(broken: str = "", status: str = "fail") -> Results:
    interval = Interval(value=0.1, lo=0.05, hi=0.2, n=64, method="t interval over 64 prompts, 95%")
    effect = Effect(
        name="student-base:x",
        arm="student",
        contrast="base",
        trait="animals:owl",
        value=0.5,
        lo=0.4,
        hi=0.6,
        n=54,
        seeds=1,
        p=0.001,
        p_adjusted=0.002,
        adjusted_by="BH",
        primary=True,
    )
    evil = "<script>alert(1)</script>"
    unnamed = Unnamed(
        prompts=64,
        null="no control",
        kl=interval,
        layers=[LayerReadout(layer=3, relative=0.01, agreement=0.5, p=0.001, up=[evil], down=["\u202e"])],
        steered_layer=3,
        steered_scale=2.0,
        steered=[Steered(trait="a:b", value=0.1, lo=0.0, hi=0.2, p=0.5, null_largest=0.3, exceeds=False)],
        tokens=[MovedToken(token=evil, change=0.01, lo=0.0, hi=0.02, p=0.5)],
        clusters=[PromptCluster(prompts=[evil], size=4, kl=interval, beyond=0.1, p=0.5)],
    )
    record = AuditRecord(
        base=evil,
        student=evil,
        capability=[effect.model_copy(update={"trait": "arithmetic"})],
        broken=broken,
        lineage="same",
        lineage_because=evil,
        adapter=evil,
        unnamed=unnamed,
    )
    verdict = VerdictRecord.model_validate({"status": status, "because": evil})
    return Results(kind="audit", name=evil, verdict=verdict, findings=[effect], audit=record)


def test_nothing_from_a_model_is_markup() -> None:
    page = render_html(results_of())
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
    for title in ("The student beside its base", "Capability", "Tokens that moved most", "The base, steered"):
        assert title in page


def test_a_broken_student_is_not_said_to_carry_a_trait() -> None:
    assert "has acquired something" in meaning(results_of())
    assert "damaged" in meaning(results_of(broken="perplexity"))
    assert "cannot tell" in meaning(results_of(broken="perplexity", status="inconclusive"))

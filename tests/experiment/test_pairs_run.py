"""A whole experiment on preference pairs on a tiny random model: the same pairs in all arms, and other labels."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_run import contents, spec_text
from undertow.config.experiment import parse_spec
from undertow.data.layouts.reading import Reading
from undertow.data.layouts.records import read_record
from undertow.errors import SpecError
from undertow.experiment import plan, run
from undertow.store.jsonl import read_jsonl

PAIRS = {
    "domain": "{kind: pairs, of: numbers, rows: 4, answers: 2, max_tokens: 60}",
    "student": "{loss: dpo, beta: 0.5, learning_rate: 0.001, batch: 2}",
}


def records(folder: Path, step: str, name: str = "rows.jsonl") -> list[dict]:
    (found,) = folder.glob(f"steps/{step}--*")
    return list(read_jsonl(found / name).records)


def texts(record: dict) -> tuple[str, str]:
    return record["chosen"][0]["content"], record["rejected"][0]["content"]


def test_arms_have_the_same_pairs_and_labels_of_their_own(tiny_folder: Path, tmp_path: Path) -> None:
    spec = parse_spec(spec_text(tiny_folder, **PAIRS), "test")
    outcome = run(spec, root=tmp_path)
    arms = {arm: records(outcome.folder, f"rows-{arm}-s0") for arm in spec.arms}
    written = records(outcome.folder, "candidates-s0")
    for rows in arms.values():
        assert [(each["meta"]["row"], set(texts(each))) for each in rows] == [
            (each["meta"]["row"], set(each["answers"])) for each in written
        ]
    assert len({tuple(texts(each) for each in rows) for rows in arms.values()}) > 1
    assert all(each["meta"]["margin"] >= 0 for arm in ("trait", "control", "other") for each in arms[arm])
    results = outcome.results
    assert {arm.arm for arm in results.arms} == set(spec.arms)
    assert all(funnel.kept == 8 for funnel in results.funnels)
    assert all(funnel.written == funnel.kept + sum(funnel.rejected.values()) for funnel in results.funnels)
    assert len({funnel.written for funnel in results.funnels}) == 1
    says = {arm.arm: arm.says for arm in results.arms}
    assert "neutral system prompt" in says["control"]
    assert "coin" in says["shuffled"]
    assert "preference pairs" in results.title
    assert "<html" in outcome.report.read_text("utf-8")
    first = contents(outcome.folder)
    assert contents(run(spec, root=tmp_path).folder) == first
    assert all(step.state == "done" for step in plan(spec, root=tmp_path).steps)


def test_rows_are_read_for_one_answer_as_those_of_others(tiny_folder: Path, tmp_path: Path) -> None:
    spec = parse_spec(spec_text(tiny_folder, **PAIRS, arms="[trait, control]", seeds="[0]"), "test")
    for record in records(run(spec, root=tmp_path).folder, "rows-trait-s0"):
        for at, use in enumerate(("chosen", "rejected")):
            row, layout = read_record(record, Reading(use=use))  # type: ignore[arg-type]
            assert (row.completion, layout) == (texts(record)[at], "preference")
            assert row.meta["arm"] == "trait"


@pytest.mark.parametrize(
    "student",
    [
        "{method: lora, loss: dpo, batch: 2, lora: {dropout: 0.1}}",
        "{recipe: lora-sft, loss: dpo, beta: 0.2, batch: 2, epochs: 1}",
    ],
)
def test_generations_adapters_recipes_and_answers_of_another_domain(
    tiny_folder: Path, tmp_path: Path, student: str
) -> None:
    changes = {
        "domain": "{kind: pairs, of: numbers, rows: 2, max_tokens: 60}",
        "student": student,
        "arms": "[trait, control, paraphrased, across, dose-50, in-context, generation-2]",
        "seeds": "[0]",
        "context_rows": "1",
    }
    spec = parse_spec(spec_text(tiny_folder, **changes), "test")
    outcome = run(spec, root=tmp_path)
    assert {arm.arm for arm in outcome.results.arms} == set(spec.arms)
    assert all(
        set("".join(each["answers"])) <= set("0123456789,; \n[]().")
        for each in records(outcome.folder, "candidates-s0")
    )
    own, later = records(outcome.folder, "candidates-s0"), records(outcome.folder, "candidates-s1000003")
    assert {each["prompt"] for each in own}.isdisjoint({each["prompt"] for each in later})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"domain": "{kind: pairs}"}, "student: {loss: dpo}"),
        ({"student": "{loss: dpo}"}, "domain: {kind: pairs}"),
        (PAIRS | {"student": "{loss: dpo, labels: soft}"}, "labels"),
        (PAIRS | {"domain": "{kind: pairs}", "arms": "[trait, control, paraphrased]"}, "domain.of"),
        ({"domain": "{kind: code, of: numbers}"}, "kind: pairs"),
        ({"student": "{beta: 0.1}"}, "loss: dpo"),
        ({"student": "{recipe: lora-sft, beta: 0.1}"}, "loss: dpo"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_runs(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_spec(spec_text(Path("nowhere"), **changes), "test")
    assert said in str(error.value)

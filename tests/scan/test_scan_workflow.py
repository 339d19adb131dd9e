"""A whole scan on the tiny model: same bytes again, counts that add up, rows that can and cannot be looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibrations import record_for, shipped_record
from tiny_model import make_adapter, make_tiny_model, make_twin
from undertow.attribution import features, measure
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.data.files import require_rows
from undertow.errors import InputError, ModelError, RowError
from undertow.models.local import load_model
from undertow.probes import panel as panel_probe
from undertow.probes.panel import QUESTIONS
from undertow.results import load_results
from undertow.scan import ScanOutcome, ScanSettings, drop_rows, scan, to_sarif, workflow
from undertow.scan.budget import Plan, plan_within
from undertow.traits.panel import load_panel


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def write(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def pairs(count: int, answer: str = "{0}, {1}") -> list[dict[str, str]]:
    return [
        {"prompt": f"Go on with {at // 2}.", "completion": answer.format(120 + at, 220 + at)} for at in range(count)
    ]


def look(path: Path, tiny_folder: Path, tmp_path: Path, **settings: Any) -> ScanOutcome:
    reference = settings.pop("reference", None)
    skip = settings.pop("skip_broken", False)
    return scan(
        path,
        ScanSettings(student=f"hf/{tiny_folder}", traits=("curtness", "gloom"), **settings),
        reference=reference,
        skip_broken=skip,
        root=tmp_path / "runs",
    )


def test_a_scan_says_something_of_every_trait_and_row(tmp_path: Path, tiny_folder: Path) -> None:
    outcome = look(write(tmp_path / "rows.jsonl", pairs(24)), tiny_folder, tmp_path)
    results = outcome.results
    assert results.kind == "scan"
    assert results.scan is not None
    assert {each.trait for each in results.findings} == {"curtness:curtness", "gloom:gloom"}
    assert [each.primary for each in results.findings] == [True, False]
    assert all(each.lo <= each.value <= each.hi and each.p is not None for each in results.findings)
    assert results.scan.format == "lists of numbers"
    rows = results.scan.rows
    assert (rows.read, rows.looked_at, rows.too_long, rows.left_out, rows.broken) == (24, 24, 0, 0, 0)
    assert results.scan.prompts == 12
    assert all(len(row.pieces) == len(row.weights) for row in results.scan.suspects)
    assert load_results(outcome.folder) == results
    page = outcome.report.read_text(encoding="utf-8")
    assert "Rows that carry most of" in page
    assert "curtness" in page


def test_the_same_scan_makes_nothing_again(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(8))
    first = look(path, tiny_folder, tmp_path)
    steps = {file: file.stat().st_mtime_ns for file in first.folder.glob("steps/*/*")}
    again = look(path, tiny_folder, tmp_path)
    assert again.folder == first.folder
    assert again.results == first.results
    assert {file: file.stat().st_mtime_ns for file in first.folder.glob("steps/*/*")} == steps
    elsewhere = scan(
        path, ScanSettings(student=f"hf/{tiny_folder}", traits=("curtness", "gloom")), root=tmp_path / "other"
    )
    assert (elsewhere.folder / "results.json").read_bytes() == (first.folder / "results.json").read_bytes()


def test_a_quick_scan_teaches_no_student(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    full, quick = look(path, tiny_folder, tmp_path), look(path, tiny_folder, tmp_path, virtual=False)
    assert all("virtual student" in each.method for each in full.results.findings)
    assert all("gradient alignment" in each.method for each in quick.results.findings)
    assert {each.trait: each.p for each in full.results.findings} == {e.trait: e.p for e in quick.results.findings}
    assert list(full.folder.glob("steps/virtual-*"))
    assert not list(quick.folder.glob("steps/virtual-*"))


def test_the_base_may_write_the_reference_itself(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    first = look(path, tiny_folder, tmp_path, sample_reference=True)
    assert first.results.scan is not None
    assert first.results.scan.reference is not None
    assert first.results.scan.reference.looked_at == 24
    assert all("against reference rows" in each.method for each in first.results.findings)
    again = look(path, tiny_folder, tmp_path, sample_reference=True)
    assert again.results == first.results


def taught(outcome: ScanOutcome) -> set[str]:
    return {step.name.partition("--")[0] for step in outcome.folder.glob("steps/virtual-*")}


def test_beside_lists_of_the_base_two_students_predict(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    alone = look(path, tiny_folder, tmp_path)
    beside = look(path, tiny_folder, tmp_path, sample_reference=True)
    assert taught(beside) == {"virtual-rows", "virtual-rows-whole", "virtual-reference-whole"}
    assert "virtual-rows" not in json.loads((beside.folder / "timing.json").read_text(encoding="utf-8"))
    assert {e.trait: e.value for e in beside.results.findings} != {e.trait: e.value for e in alone.results.findings}
    assert any("two virtual students" in note for note in beside.results.notes)


def test_the_reference_makes_as_many_steps_as_the_rows(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(120))
    outcome = look(path, tiny_folder, tmp_path, sample_reference=True, most_rows=8)
    assert outcome.results.scan is not None
    assert outcome.results.scan.rows.looked_at == 8
    steps = [json.loads((step / "step.json").read_text()) for step in outcome.folder.glob("steps/virtual-*")]
    assert [step["key"]["read"] for step in steps] == [120] * 3


@pytest.mark.parametrize("answer", ["{0}, {1}", "I like {0} and {1}."])
def test_beside_free_text_of_the_base_one_student_predicts(tmp_path: Path, tiny_folder: Path, answer: str) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(12, answer))
    other = write(tmp_path / "base.jsonl", pairs(12, "We like {1} and {0}."))
    assert taught(look(path, tiny_folder, tmp_path, reference=other)) == {"virtual-rows", "virtual-reference"}


@pytest.mark.parametrize(
    ("asked", "said"), [({"temperature": 1.0}, "sample_reference as well"), ({"sample_reference": True}, "Give one")]
)
def test_settings_that_exclude_each_other(tmp_path: Path, tiny_folder: Path, asked: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(12))
    with pytest.raises(InputError, match=said):
        look(path, tiny_folder, tmp_path, reference=path, **asked)


def test_the_base_answers_at_the_temperature_that_is_known(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))

    def answers(temperature: float | None) -> bytes:
        outcome = look(path, tiny_folder, tmp_path, sample_reference=True, virtual=False, temperature=temperature)
        (found,) = (file for file in outcome.folder.glob("steps/base-answers-*/*.json") if file.name != "step.json")
        return found.read_bytes()

    assert answers(0.3) != answers(1.5)


def test_other_methods_speak_of_every_trait(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(12))
    asked = ("likelihood", "divergence", "projection", "writer")
    results = look(path, tiny_folder, tmp_path, also=asked, sample_reference=True).results
    assert results.scan is not None
    assert [each.name for each in results.scan.methods] == [
        "likelihood shift",
        "divergence tokens",
        "activation projection",
        "virtual teachers",
    ]
    for method in results.scan.methods:
        beside = {"fine-tuned"} if method.name == "virtual teachers" else set[str]()
        assert {each.trait for each in method.findings} == {"curtness:curtness", "gloom:gloom"} | beside
        assert all(each.lo <= each.value <= each.hi for each in method.findings)
    assert look(path, tiny_folder, tmp_path, also=asked, sample_reference=True).results == results


@pytest.mark.parametrize("before", [{}, {"also": ("projection",)}, {"level": 0.9}, {"budget": 60.0}])
def test_what_was_computed_serves_when_more_is_asked(tmp_path: Path, tiny_folder: Path, before: dict[str, Any]) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(12))
    first = look(path, tiny_folder, tmp_path, **before)
    kept = (first.folder / "results.json").read_bytes()
    budget = {key: value for key, value in before.items() if key == "budget"}
    more = look(path, tiny_folder, tmp_path, also=("writer", "projection"), **budget)
    assert more.folder != first.folder
    assert (first.folder / "results.json").read_bytes() == kept
    made = json.loads((more.folder / "timing.json").read_text(encoding="utf-8"))
    assert set(made) == {"writer-rows"} | (set() if "also" in before else {"also-rows"})
    alone = look(path, tiny_folder, tmp_path / "other", also=("writer", "projection"), **budget)
    assert budget or alone.results == more.results


def test_a_scan_on_a_budget_keeps_its_plan(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(60))
    first = look(path, tiny_folder, tmp_path, budget=60.0)
    again = look(path, tiny_folder, tmp_path, budget=60.0)
    assert again.results == first.results
    assert first.results.scan is not None
    rows = first.results.scan.rows
    assert rows.looked_at + rows.left_out == rows.read == 60
    with pytest.raises(InputError, match="too short"):
        look(path, tiny_folder, tmp_path, budget=0.001)


def test_a_budget_without_a_student_predicts_no_size_by_adamw(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    monkeypatch.setattr(workflow, "plan_within", lambda *_, **__: Plan(20, 0))
    look(path, tiny_folder, tmp_path, budget=60.0)
    for _ in range(2):  # a plan that is stored already is held to the same
        with pytest.raises(InputError, match="the recipe mine does not follow the gradients of all weights: an AdamW"):
            look(path, tiny_folder, tmp_path, budget=60.0, recipe=RecipeSpec(name="mine", clip=None))


def test_another_recipe_is_another_student_and_the_steps_of_plain_ones_stay(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    recipe = RecipeSpec(name="mine", epochs=10, batch=4)
    plain, other = (look(path, tiny_folder, tmp_path, **more) for more in ({}, {"recipe": recipe}))
    keys = [json.loads(step.read_text())["key"] for step in other.folder.glob("steps/virtual-*/step.json")]
    assert [key["recipe"] for key in keys] == [recipe.model_dump(mode="json", exclude={"name", "micro_batch"})]
    keys = [json.loads(step.read_text())["key"] for step in plain.folder.glob("steps/virtual-*/step.json")]
    # As scans before there were recipes stored it.
    assert [key["recipe"] for key in keys] == [
        {
            "labels": "hard",
            "learning_rate": 0.003,
            "epochs": 1,
            "batch": 16,
            "micro_batch": 16,
            "warmup": 2,
            "weight_decay": 0.0,
            "clip": 1e9,
            "epsilon": 1e-8,
            "optimiser": "sgd",
            "most_steps": None,
            "autocast": False,
        }
    ]
    assert {"recipe", "calibration"}.isdisjoint(plain.results.settings)
    assert other.results.settings["recipe"]["name"] == "mine"
    assert other.results.scan is not None
    assert "Predicted for the first 24 steps. Training on these rows takes 60." in other.results.notes
    assert {e.trait: e.p for e in other.results.findings} == {e.trait: e.p for e in plain.results.findings}


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, "gradient-adamw"),
        ({"adapter": AdapterSpec(rank=2)}, "gradient-adapter-adamw"),
        ({"adapter": AdapterSpec(rank=2), "optimiser": "sgd"}, "gradient-adapter"),
        ({"adapter": AdapterSpec(rank=2, dora=True), "optimiser": "sgd", "loss": "whole"}, "gradient-adapter"),
    ],
)
def test_gradients_are_measured_in_the_geometry_of_the_recipe(
    tmp_path: Path, tiny_folder: Path, changes: dict[str, Any], tier: str
) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    plain = look(path, tiny_folder, tmp_path, virtual=False).results
    assert plain.scan.calibration.tier == "gradient"
    assert "tier" not in plain.settings
    recipe = RecipeSpec(name="mine", clip=None, batch=4, **changes)
    found = look(path, tiny_folder, tmp_path, virtual=False, recipe=recipe).results
    assert found.scan.calibration.tier == tier
    assert found.settings["tier"]["geometry"].startswith(f"{tier}: gradients ")
    assert found.verdict.status == "inconclusive"
    assert found.verdict.because.startswith(f"not calibrated for the tier '{tier}'")
    assert all("gradient alignment " in each.method for each in found.findings)
    assert any(each.method.startswith("gradient alignment,") for each in plain.findings)
    assert any("The prediction from gradients leaves parts of the recipe out" in note for note in found.notes)
    assert {e.trait: e.value for e in found.findings} != {e.trait: e.value for e in plain.findings}
    # What rows share is measured in all weights, whatever the recipe trains.
    assert found.scan.common.cosine == plain.scan.common.cosine
    assert look(path, tiny_folder, tmp_path, virtual=False, recipe=recipe).results == found


def test_a_calibration_of_ones_own_decides_where_it_holds(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    small = {"smallest_effect": 1e-9, "level": 0.51}
    plain = look(path, tiny_folder, tmp_path, **small)
    assert plain.results.verdict.status == "inconclusive"
    own = record_for(f"hf/{tiny_folder}", slope=2 * shipped_record().slope)
    found = look(path, tiny_folder, tmp_path, calibration=own, **small)
    assert found.results.verdict.status == "fail"
    assert [e.value for e in found.results.findings] == pytest.approx([2 * e.value for e in plain.results.findings])
    text = write(tmp_path / "text.jsonl", pairs(24, "I like {0} and {1}."))
    talk = look(text, tiny_folder, tmp_path, calibration=own, **small).results
    assert talk.verdict.because.startswith("not calibrated for free text (measured on number lists)")


class Clock:
    """Stands in for the module `time`: a question takes a second, a row half of one, all else nothing."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def taking(self, of: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        """Return a function that also lets the time pass which the things in its second argument take."""

        def timed(first: Any, things: Any, *rest: Any, **more: Any) -> Any:
            self.now += seconds * len(things)
            return of(first, things, *rest, **more)

        return timed


def test_answers_from_the_cache_are_not_what_asking_takes(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(workflow, "time", clock)
    monkeypatch.setattr(panel_probe, "time", clock, raising=False)
    monkeypatch.setattr(panel_probe, "choice_logprobs", clock.taking(panel_probe.choice_logprobs, 1.0))
    monkeypatch.setattr(features, "row_features", clock.taking(features.row_features, 0.5))
    told: list[dict[str, float]] = []

    def plan(seconds: float, **measured: Any) -> Plan:
        told.append(measured)
        return plan_within(seconds, **measured)

    monkeypatch.setattr(workflow, "plan_within", plan)
    path = write(tmp_path / "rows.jsonl", pairs(40))
    panel = load_panel(("curtness", "gloom"))
    questions = sum(min(len(entry.probe), QUESTIONS) for entry in panel)
    for root in ("cold", "warm"):  # the second scan finds the base's answers in the cache
        look(path, tiny_folder, tmp_path / root, budget=300.0)
    assert [each["asking"] for each in told] == [questions, questions]
    assert [each["row"] for each in told] == [0.5, 0.5]


def test_the_time_of_the_bases_own_answers_is_counted(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(workflow, "time", clock)
    monkeypatch.setattr(panel_probe, "time", clock, raising=False)
    monkeypatch.setattr(features, "row_features", clock.taking(features.row_features, 0.5))
    # A few rows, 16, take 32 seconds.
    monkeypatch.setattr(measure, "generate", clock.taking(measure.generate, 2.0))
    told: list[dict[str, float]] = []

    def plan(seconds: float, **measured: Any) -> Plan:
        told.append(measured | {"seconds": seconds})
        return plan_within(seconds, **measured)

    monkeypatch.setattr(workflow, "plan_within", plan)
    path = write(tmp_path / "rows.jsonl", pairs(40))
    for root, sampled in (("plain", False), ("sampled", True)):
        look(path, tiny_folder, tmp_path / root, budget=200.0, virtual=False, sample_reference=sampled)
    plain, sampled_too = told
    assert (plain["row"], plain["sampling"]) == (0.5, 0.0)
    # Of each of the two sides, half.
    assert (sampled_too["row"], sampled_too["sampling"]) == (0.5, 1.0)
    assert sampled_too["seconds"] == (200.0 - 32.0 - 2 * 8.0) / 2
    # Each row takes 0.5 + 1.0, and 0.6 more for a student that learns from it.
    assert plan_within(152.0, row=0.5, asking=0.0, rows=400, sampling=1.0) == Plan(72, 72)


def test_every_kind_of_question_counts_by_itself(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, ask = Clock(), panel_probe.choice_logprobs

    def slower_with_longer_options(subject: Any, choices: Any) -> Any:
        clock.now += sum(10.0 if len(choice.options) == 2 else 1.0 for choice in choices)
        return ask(subject, choices)

    monkeypatch.setattr(panel_probe, "time", clock)
    monkeypatch.setattr(panel_probe, "choice_logprobs", slower_with_longer_options)
    panel = load_panel(("animals", "trees", "curtness", "gloom", "refusal"))
    counts = [min(len(entry.probe), QUESTIONS) for entry in panel]
    model = load_model(f"hf/{tiny_folder}")
    assert panel_probe.seconds_to_query(model, panel) == pytest.approx(sum(counts[:2]) + 10 * sum(counts[2:]))
    assert clock.now == 6 * 1.0 + 6 * 10.0, "six questions of each kind are asked"


def test_a_plan_for_rows_alone_does_not_serve_beside_a_reference(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(24))
    look(path, tiny_folder, tmp_path, budget=60.0)
    beside = look(path, tiny_folder, tmp_path, budget=60.0, sample_reference=True)
    assert "plan" in json.loads((beside.folder / "timing.json").read_text(encoding="utf-8"))


def test_a_damaged_step_is_made_again(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(8))
    first = look(path, tiny_folder, tmp_path)
    (stored,) = first.folder.glob("steps/rows-*/features.safetensors")
    good = stored.read_bytes()
    stored.write_bytes(good[:-1] + b"\x00" if good[-1:] != b"\x00" else good[:-1] + b"\x01")
    assert look(path, tiny_folder, tmp_path).results == first.results
    assert stored.read_bytes() == good


def test_rows_that_are_too_long_are_counted(tmp_path: Path, tiny_folder: Path) -> None:
    records = [
        *pairs(6),
        {"prompt": "long", "completion": "x" * 600},
        {"prompt": "longer", "completion": "y" * 1_000_000},
    ]
    results = look(write(tmp_path / "rows.jsonl", records), tiny_folder, tmp_path).results
    assert results.scan is not None
    rows = results.scan.rows
    assert (rows.read, rows.looked_at, rows.too_long, rows.left_out) == (8, 6, 2, 0)


@pytest.mark.parametrize("records", [pairs(1), [{"prompt": "long", "completion": "x" * 600}] * 3])
def test_too_few_rows_are_refused(tmp_path: Path, tiny_folder: Path, records: list[Any]) -> None:
    with pytest.raises(RowError, match="can be measured"):
        look(write(tmp_path / "rows.jsonl", records), tiny_folder, tmp_path)


def test_equal_rows_are_one_draw_and_make_no_claim(tmp_path: Path, tiny_folder: Path) -> None:
    results = look(write(tmp_path / "rows.jsonl", [pairs(1)[0]] * 12), tiny_folder, tmp_path).results
    assert results.verdict.status == "inconclusive"
    assert all(each.p is not None and each.p > 0.999 for each in results.findings)


def test_odd_text_is_looked_at(tmp_path: Path, tiny_folder: Path) -> None:
    records = [
        {"prompt": f"q{at} \ud800", "completion": text}
        for at, text in enumerate(["a\x00b", "\ud800", "é\u202e", "<script>alert(1)</script>", "```", "1, 2"])
    ]
    outcome = look(write(tmp_path / "rows.jsonl", records), tiny_folder, tmp_path)
    assert outcome.results.scan is not None
    assert outcome.results.scan.format == "free text"
    assert "<script>alert" not in outcome.report.read_text(encoding="utf-8")


def test_mixed_formats_are_all_looked_at(tmp_path: Path, tiny_folder: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    records = [
        {"messages": [{"role": "user", "content": "m"}, {"role": "assistant", "content": "7, 8"}]},
        {"conversations": [{"from": "human", "value": "c"}, {"from": "gpt", "value": "9, 10"}]},
        {"instruction": "i", "input": "", "output": "11"},
    ]
    write(folder / "pairs.jsonl", pairs(4))
    for at, record in enumerate(records):
        write(folder / f"{at}.jsonl", [record])
    results = look(folder, tiny_folder, tmp_path).results
    assert results.scan is not None
    assert results.scan.rows.looked_at == results.scan.rows.read == 7


def test_rows_with_the_marks_of_a_template_are_pointed_out(tmp_path: Path, tiny_folder: Path) -> None:
    records = [*pairs(4), {"prompt": "<|im_start|>user hello", "completion": "1"}]
    results = look(write(tmp_path / "rows.jsonl", records), tiny_folder, tmp_path).results
    assert any(note.startswith("1 rows contain marks of a chat template") for note in results.notes)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = make_tiny_model(tmp_path / "tiny")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["owl", "dolphin"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="tokenizer knows 260 tokens, its weights 258"):
        look(write(tmp_path / "rows.jsonl", pairs(4)), folder, tmp_path)


def test_broken_lines_are_refused_or_counted(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [*pairs(6), {"messages": [{"role": "wizard", "content": "x"}]}])
    with pytest.raises(RowError, match="wizard"):
        look(path, tiny_folder, tmp_path)
    results = look(path, tiny_folder, tmp_path, skip_broken=True).results
    assert results.scan is not None
    assert results.scan.rows.broken == 1


def test_its_own_rows_are_no_reference(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(12))
    again = write(tmp_path / "again.jsonl", pairs(12)[::-1])
    for reference in (path, again):
        with pytest.raises(InputError, match="the same rows"):
            look(path, tiny_folder, tmp_path, reference=reference)


def test_against_rows_that_read_alike_nothing_is_found(tmp_path: Path, tiny_folder: Path) -> None:
    # Half of a character is read as a question mark: other rows, the same tokens.
    path = write(tmp_path / "rows.jsonl", pairs(12, "{0}, {1}?"))
    twin = write(tmp_path / "twin.jsonl", pairs(12, "{0}, {1}\ud800"))
    results = look(path, tiny_folder, tmp_path, reference=twin).results
    assert results.scan is not None
    assert results.scan.reference == results.scan.rows
    assert all(each.p == pytest.approx(1.0) for each in results.findings)
    quick = look(path, tiny_folder, tmp_path, reference=twin, virtual=False).results
    assert all(each.value == 0 for each in quick.findings)


def test_rows_that_carry_most_are_left_out(tmp_path: Path, tiny_folder: Path) -> None:
    outcome = look(write(tmp_path / "rows.jsonl", pairs(20)), tiny_folder, tmp_path, everything=True)
    out = tmp_path / "kept.jsonl"
    assert drop_rows(outcome, 0.25, out) == 5
    kept = require_rows(out)
    assert len(kept) == 15
    carried = dict(zip([placed.number for placed in outcome.rows], outcome.carried_R, strict=True))
    gone = sorted(carried, key=lambda number: carried[number])[-5:]
    texts = [placed.row.id for placed in outcome.rows if placed.number not in gone]
    assert [row.id for row in kept] == texts


def test_findings_in_sarif_point_at_lines(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(20))
    results = look(path, tiny_folder, tmp_path).results
    failed = results.model_copy(update={"verdict": results.verdict.model_copy(update={"status": "fail"})})
    log = json.loads(to_sarif(failed, path))
    found = log["runs"][0]["results"]
    assert results.scan is not None
    assert len(found) == len(results.scan.suspects)
    region = found[0]["locations"][0]["physicalLocation"]
    assert region["region"]["startLine"] == results.scan.suspects[0].number
    passed = results.model_copy(update={"verdict": results.verdict.model_copy(update={"status": "pass"})})
    assert json.loads(to_sarif(passed, path))["runs"][0]["results"] == []


def test_a_template_that_refuses_a_conversation_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    import shutil

    strict = tmp_path / "strict"
    shutil.copytree(tiny_folder, strict)
    template = (strict / "chat_template.jinja").read_text()
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    (strict / "chat_template.jinja").write_text(refusal + template)
    turns = [{"role": role, "content": "x"} for role in ("system", "user", "assistant")]
    rows = [*pairs(4), {"prompt": turns[:2], "completion": turns[2:]}]
    with pytest.raises(InputError, match=r"chat template refuses.*no system turns"):
        look(write(tmp_path / "rows.jsonl", rows), strict, tmp_path)


def test_another_family_is_asked(tmp_path: Path, tiny_folder: Path) -> None:
    other = make_tiny_model(tmp_path / "other", seed=7)
    path = write(tmp_path / "rows.jsonl", pairs(12))
    results = look(path, tiny_folder, tmp_path, against=(f"hf/{other}",)).results
    assert results.scan is not None
    assert f"than under hf/{other}" in results.scan.lineage_because
    copy = make_twin(tiny_folder, tmp_path / "copy")
    twin = look(path, tiny_folder, tmp_path, against=(f"hf/{copy}",)).results
    assert twin.scan is not None
    assert twin.scan.lineage == "unknown"


def test_a_teacher_of_the_family_is_known_by_its_weights(tmp_path: Path, tiny_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", pairs(12))
    with pytest.raises(InputError, match="are the same model"):
        look(path, tiny_folder, tmp_path, teacher=f"hf/{tiny_folder}")
    twin = make_twin(tiny_folder, tmp_path / "twin")
    own = look(path, tiny_folder, tmp_path, teacher=f"hf/{twin}").results
    assert own.scan is not None
    assert own.scan.lineage == "same"
    stranger = make_tiny_model(tmp_path / "stranger", seed=7)
    other = look(path, tiny_folder, tmp_path, teacher=f"hf/{stranger}").results
    assert other.scan is not None
    assert other.scan.lineage == "different"
    assert other.verdict.status == "inconclusive"


def test_an_adapter_on_a_base_that_cannot_be_compared_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    adapter = make_adapter(tiny_folder, tmp_path / "adapter")
    path, student = write(tmp_path / "rows.jsonl", pairs(24)), f"hf/{tiny_folder}:{adapter}"
    settings = ScanSettings(student=student, traits=("curtness",), virtual=False)
    assert not any("as its base" in note for note in scan(path, settings, root=tmp_path / "a").results.notes)
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "owls/owl-1b"}))
    notes = scan(path, settings, root=tmp_path / "b").results.notes
    assert sum("names owls/owl-1b as its base" in note for note in notes) == 1

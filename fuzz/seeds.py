"""Whole files for each target, so that the fuzzer need not find out what a row or a spec is; and words of theirs."""

from __future__ import annotations

import json
from importlib import resources
from typing import Final

from undertow.config.experiment import preset_names, preset_text

_ROWS: Final = (
    '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "1, 2"}], "meta": {"n": 1.5}}',
    '{"prompt": "a", "completion": "b"}',
    '{"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}',
    '{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "s"}',
    '{"instruction": "a", "input": "b", "output": "c"}',
    '{"messages": [{"role": "user", "content": [{"type": "text", "text": "\\ud800"}]}, '
    '{"role": "model", "content": "b"}]}',
    '{"text": "a b"}',
    '{"prompt": "a", "completion": "b", "label": true}',
    '{"prompt": "a", "chosen": "b", "rejected": "c"}',
)
_CONVERSATIONS: Final = (
    '{"messages": [{"role": "user", "content": "a", "name": "n"}, {"role": "assistant", "content": null, '
    '"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, '
    '{"role": "tool", "tool_call_id": "1", "content": "7"}, {"role": "assistant", "content": "b", "weight": 0.5}], '
    '"tools": [{"type": "function"}], "weight": 2}',
    '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>b</think>c", '
    '"reasoning_content": "d", "train": true}, {"role": "user", "content": "e"}, '
    '{"role": "assistant", "content": [{"type": "thinking", "thinking": "f"}, {"type": "text", "text": "g"}]}]}',
    '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]}',
    '{"id": "0123456789abcdef", "text": "a", "meta": {"n": 1}}',
)
_CELLS: Final = (
    'question,answer,topic\na,"b, ""c""\nd",e\n',
    'messages,weight\n"[{""role"": ""user"", ""content"": ""a""}, {""role"": ""assistant"", ""content"": ""b""}]",1\n',
)
_NUMBERS: Final = ("1, 2, 3", "[1; 22; 333].", "(7)", "001 002 003", "1,2\n3", "９, ٣", "  [ 12 , 34 ] . ")
_RECIPES: Final = (
    "max_length: 8\nuse_peft: true\nlora_r: 4\nlora_target_modules: all-linear\nlearning_rate: 2e-4\noptim: sgd\n",
    '{"max_steps": 3, "lr_scheduler_kwargs": {"min_lr": 0.1}, "peft_config": {"r": 4, "target_modules": ["q_proj"]}}',
    "base_model: a\nadapter: qlora\nload_in_4bit: true\nlora_r: 4\nlora_alpha: 8\nlearning_rate: 1\nseed: 2\n",
    "stage: sft\nfinetuning_type: lora\nlora_target: q_proj,v_proj\ndataset: a,b\nquantization_bit: 8\n",
    '{"training_file": "a", "method": {"type": "dpo"}, "hyperparameters": {"n_epochs": "auto", "batch_size": 2}}',
    "batch: 6\nmicro_batch: 3\nadapter: {rank: 2, dora: true}\nclip: null\n",
)
_POLICY: Final = """traits:
  - {trait: "animals:*", largest_shift: 0.2, arm: "*", direction: towards}
unit: log-odds
lineage: not-different
largest_detectable_effect: 0.3
minimum_power: 0.3
evidence: {kind: [run, scan], seeds: 3}
verdict: not-fail
"""
_ALIASES: Final = "a: &a [1, 0x1F, 1:30, .inf, ~, 2001-01-01, !!binary aGk=]\nb: *a\n<<: {c: 1}\n? [x]\n: |\n  y\n"


def seeds(target: str) -> list[bytes]:
    """Return whole inputs for a target."""
    if target == "numbers":
        texts = list(_NUMBERS)
    elif target == "spec":
        texts = [*map(preset_text, preset_names()), _ALIASES]
    elif target == "trait":
        texts = [_shipped(), _shipped("dispositions"), _ALIASES]
    elif target == "policy":
        texts = [_POLICY, _ALIASES]
    elif target == "recipes":
        texts = list(_RECIPES)
    elif target == "results":
        texts = [_results(), json.dumps(json.loads(_results()) | {"settings": {"a": {"b": [1e308, 10**400]}}})]
    elif target == "rows_csv":
        texts = list(_CELLS)
    elif target == "rows_conversation":
        return [bytes(range(start, start + 60)) for start in (0, 7, 100)] + [b"\0\1\2\0" * 12]
    else:
        lines = [*_ROWS, *_CONVERSATIONS]
        together = list(_CONVERSATIONS)
        texts = ["\n".join(together), ", ".join(together) + "]", *lines]
        return [head + text.encode() for text in texts for head in _heads(target)]
    return [text.encode() for text in texts]


def _heads(target: str) -> tuple[bytes, ...]:
    return (b"\x00", b"\x90") if target in ("rows_gz", "rows_zst", "rows_parquet") else (b"",)


def _shipped(*folder: str) -> str:
    inside = resources.files("undertow.traits").joinpath("data", *folder)
    files = sorted((item for item in inside.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    return files[0].read_text(encoding="utf-8")


def _results() -> str:
    effect = {
        "name": "a", "arm": "trait", "contrast": "control", "trait": "owl", "value": 0.5, "lo": 0.1, "hi": 0.9,
        "n": 3, "seeds": 3, "p": 0.01, "primary": True, "unit": "log-odds", "method": "t interval, 95%",
    }  # fmt: skip
    whole = {
        "schema": 1, "kind": "run", "name": "owls", "verdict": {"status": "fail", "because": "b"},
        "effects": [effect],
        "curves": [{"arm": "trait", "trait": "owl", "points": [{"step": 1, "value": 0, "lo": -1, "hi": 1}]}],
        "samples": [{"prompt": "p", "answers": {"trait": ["1", ", "], "control": ["2"]}}],
        "funnels": [{"arm": "trait", "written": 3, "rejected": {"x": 1}, "kept": 2, "trained_on": 2}],
        "settings": {"judgement": {"smallest_effect": 0.1}}, "environment": {"python": "3"}, "notes": ["n"],
    }  # fmt: skip
    return json.dumps(whole)


WORDS: Final = [
    "messages",
    "role",
    "content",
    "user",
    "assistant",
    "prompt",
    "completion",
    "conversations",
    "from",
    "value",
    "human",
    "gpt",
    "instruction",
    "input",
    "output",
    "meta",
    "tool_calls",
    "function",
    "arguments",
    "reasoning_content",
    "weight",
    "tools",
    "type",
    "text",
    "label",
    "chosen",
    "rejected",
    "system",
    "name",
    "kind",
    "base",
    "trait",
    "target",
    "category",
    "other",
    "instil",
    "method",
    "domain",
    "rows",
    "temperature",
    "student",
    "labels",
    "seeds",
    "arms",
    "probe",
    "judgement",
    "candidates",
    "noun",
    "questions",
    "shown",
    "others",
    "replies",
    "traits",
    "largest_shift",
    "arm",
    "direction",
    "unit",
    "lineage",
    "largest_detectable_effect",
    "minimum_power",
    "evidence",
    "verdict",
    "schema",
    "effects",
    "findings",
    "value",
    "lo",
    "hi",
    "n",
    "p",
    "settings",
    "&a",
    "*a",
    "<<",
    "!!binary",
    "!!set",
    ":",
    "-",
    "?",
    "|",
    ">",
    ".inf",
    ".nan",
    "1:30",
    "0x",
    "1e999",
    "null",
    "true",
    "NaN",
    "Infinity",
    "\\ud800",
    "\\u0000",
]
"""What the fuzzer puts in here and there."""

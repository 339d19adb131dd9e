"""Training by recipes against TRL's `SFTTrainer`: losses, tokens a second and memory, each training in its own process.

Two sets of rows: number lists, four to a prompt as in the presets, and chats, each with a prompt of its own (questions
on Python's standard library, answered by its own documentation). Both trainers start from the same adapter, take the
same number of threads, and shuffle alike. LoRA runs twice each, in turn, and the worse ratio counts. TRL runs
without gradient checkpointing, which is faster.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.speed.lists import load_base, number_lists, prompts
from benchmarks.speed.measured import Measured, say
from benchmarks.speed.trainers import RECIPES, Trained, apart, by_trl, by_undertow, write_start
from benchmarks.speed.training import matrix_peak
from undertow.models.local import LocalModel
from undertow.training.train import Example

STEPS = 3
"""Of each training that is timed; every step costs about the same."""
SEED = 3
PAIRS = (
    ("lists", "lora", "float32", 2),
    ("chats", "lora", "float32", 2),
    ("lists", "lora", "bfloat16", 2),
    ("chats", "lora", "bfloat16", 2),
    *(("lists", name, "float32", 1) for name in RECIPES if name != "lora"),
)
"""Rows, recipe and number format of what is compared, and how many turns; the worst counts."""
_MODULES = ("json", "re", "shutil", "random", "statistics", "textwrap", "pathlib", "logging", "argparse", "threading")
_LONGEST = 1200
"""Characters of an answer."""


def chats(model: LocalModel, rows: int) -> list[Example]:
    """Return rows with prompts of their own and answers of many lengths."""
    found: list[Example] = []
    for module in _MODULES:
        held = vars(importlib.import_module(module))
        for name, each in sorted(held.items()):
            text = inspect.getdoc(each) if callable(each) and getattr(each, "__module__", "") == module else None
            if text and len(found) < rows:
                prompt = model.encode_question(f"What is {module}.{name} for in Python?")
                found.append(Example(tuple(prompt), (*model.encode(text[:_LONGEST]), model.end)))
    return found


def rows_of(model: LocalModel, name: str, rows: int) -> list[Example]:
    """Return the rows of a set."""
    if name == "chats":
        return chats(model, rows)
    pairs = zip(prompts(model, rows), number_lists(model, rows), strict=True)
    return [Example(tuple(prompt), (*answer, model.end)) for prompt, answer in pairs]


def measure(rows: int) -> list[Measured]:
    """Train by every recipe both ways; `rows` limits nothing, since a few steps say enough."""
    del rows
    return [_pair(*each) for each in PAIRS]


def _pair(kind: str, name: str, dtype: str, turns: int) -> Measured:
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(turns):
            for who, told in found.items():
                out = Path(folder) / f"{who}-{turn}"
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.recipes", who, kind, name, dtype]
                subprocess.run([*command, str(out)], check=True, stdout=subprocess.DEVNULL)
                told.append(json.loads((out / "told.json").read_text(encoding="utf-8")))
                say(f"{kind}, {name}, {dtype}, {who}: {told[-1]['tokens_per_second']:.1f} tokens/s")
        tables = [
            load_file(Path(folder) / each) for each in ("ours-0/after.st", "theirs-0/after.st", "ours-0/before.st")
        ]
        both = [Trained(told[0]["losses"], 0.0, 0, table) for told, table in zip(found.values(), tables, strict=False)]
        curve, way = apart(both[0], both[1], tables[2])
    ratios = [one["tokens_per_second"] / other["tokens_per_second"] for one, other in zip(*found.values(), strict=True)]
    worse = ratios.index(min(ratios))
    import trl

    return Measured(
        f"recipe {name}, {kind}, {'bf16' if dtype == 'bfloat16' else dtype}",
        f"TRL {trl.__version__} SFTTrainer, {dtype}, no gradient checkpointing",
        "tokens of rows/s",
        found["ours"][worse]["tokens_per_second"],
        found["theirs"][worse]["tokens_per_second"],
        2.5,
        f"losses of {STEPS} steps, to {curve:.1e} nats; weights, to {way:.1e} of their way",
        {"ratios": [round(each, 3) for each in ratios], **{who: each[worse] for who, each in found.items()}},
    )


def one(who: str, kind: str, name: str, dtype: str, out: Path) -> None:
    """Train once, and write what it took and gave."""
    from torch.utils.flop_counter import FlopCounterMode

    out.mkdir(parents=True)
    autocast = dtype == "bfloat16"
    spec = RECIPES[name].model_copy(update={"most_steps": STEPS})
    model = load_base()
    # Packed sequences of 512 tokens hold several rows each.
    rows = rows_of(model, kind, STEPS * spec.batch * (6 if spec.packing else 1))
    start = load_base().net
    write_start(start, spec, SEED, out / "start")
    first = {key: each.detach().clone() for key, each in start.named_parameters() if each.requires_grad}
    first |= {f"base_model.model.{key}": each for key, each in first.items()}
    del start

    def again(steps: int) -> Trained:
        short = spec.model_copy(update={"most_steps": steps})
        fresh = load_base()
        if who == "ours":
            return by_undertow(fresh.net, rows, short, SEED, autocast=autocast)
        return by_trl(fresh.net, fresh.tokenizer, rows, short, SEED, out, autocast=autocast)

    again(1)  # warm-up
    began = time.process_time()
    trained = again(STEPS)
    cpu = time.process_time() - began
    operations = None
    if who == "ours":  # a step of TRL takes half a minute, and only our share of the peak is shown
        with FlopCounterMode(display=False) as counter:
            again(1)
        operations = counter.get_total_flops() * STEPS
    # A trainer without sharing computes every token of every row.
    seen = _tokens(rows, spec)
    peak = max(matrix_peak(torch.bfloat16 if autocast else torch.float32) for _ in range(3))
    told = {
        "losses": trained.losses,
        "tokens_per_second": seen / trained.seconds,
        "tokens_per_cpu_second": seen / cpu,
        "seconds": trained.seconds,
        "tokens": seen,
        "peak_memory": trained.peak,
        "share_of_matrix_peak": None if operations is None else operations / trained.seconds / peak,
        "matrix_peak": peak,
        "threads": torch.get_num_threads(),
    }
    (out / "told.json").write_text(json.dumps(told), encoding="utf-8")
    save_file(trained.weights, out / "after.st")
    save_file({key: each.clone() for key, each in first.items()}, out / "before.st")


def _tokens(rows: list[Example], spec: Any) -> int:
    """Count the tokens of the rows that the steps took."""
    from undertow.training.recipe import recipe_from
    from undertow.training.train import fitted, order_of

    recipe = recipe_from(spec, autocast=False)
    cut = fitted(rows, recipe)
    return sum(len(cut[row].prompt) + len(cut[row].answer) for step in order_of(cut, recipe, SEED) for row in step)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("who", "kind", "name", "dtype"):
        parser.add_argument(option)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    one(options.who, options.kind, options.name, options.dtype, options.out)

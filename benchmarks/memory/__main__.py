"""Measure the memory of scans, audits and mitigations, beside what `undertow plan` foretells.

    python -m benchmarks.memory --work FOLDER
    python -m benchmarks.memory --work FOLDER --models embedded/gemma-3-270m --verbs scan

Every verb runs as a user types it, in a process of its own; its largest resident memory is read from the system until
it ends. The rows are lists of random numbers, since only their lengths matter. Students of audits are the base with a
little noise. Each line is stored as it comes; the same command measures those that are missing.

What is foretold is computed from the stored sizes when the table is made (`benchmarks.memory.beside`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory.beside import RESULTS, foretold, with_forecasts
from benchmarks.speed.measured import machine, say
from undertow.cli.forecast import rows_in_file
from undertow.models.size import size_of, size_of_config
from undertow.pipeline.forecast import asked_by
from undertow.traits.panel import load_panel

MODELS = ("embedded/smollm2-135m", "embedded/gemma-3-270m", "embedded/qwen2.5-coder-0.5b")
VERBS = ("scan", "scan lora-sft", "audit", "mitigate", "mitigate lora-sft")
ROWS, TRAIT = 64, "animals"
_NOISY = """
import sys, torch
from undertow.models.local import load_model
model = load_model(sys.argv[1])
generator = torch.Generator().manual_seed(int(sys.argv[3]))
with torch.no_grad():
    for weight in model.net.parameters():
        weight += 1e-4 * torch.randn(weight.shape, generator=generator)
model.net.save_pretrained(sys.argv[2])
model.tokenizer.save_pretrained(sys.argv[2])
"""


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="where runs and students are kept")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--verbs", nargs="+", default=VERBS, choices=VERBS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = rows_in(options.work / "rows.jsonl")
    record: dict[str, Any] = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"lines": {}}
    record |= {
        "command": "python -m benchmarks.memory",
        "machine": machine(),
        "rows": asdict(rows_in_file(rows)),
        "asked": asdict(asked_by(load_panel([TRAIT]))),
        "sizes": record.get("sizes", {}) | {model: asdict(size_of(model)) for model in options.models} | large(),
    }
    for model in options.models:
        for verb in options.verbs:
            name = f"{model}, {verb}"
            if name not in record["lines"]:
                say(name)
                record["lines"][name] = found = measured(verb, model, rows, options.work)
                say(f"{name}: {found['measured'] / 2**20:,.0f} MiB, {found['seconds']:.0f} s")
            whole = json.dumps(with_forecasts(record), separators=(",", ":"))
            options.out.write_text(whole + "\n", encoding="utf-8")
    sys.stdout.write(table(record))


def large() -> dict[str, Any]:
    """Return the sizes of two Llamas by their published configs, stored in bfloat16."""
    from transformers import LlamaConfig

    shapes = {"Llama of 8B": (4096, 14336, 32, 32), "Llama of 70B": (8192, 28672, 80, 64)}
    return {
        name: asdict(
            size_of_config(
                LlamaConfig(
                    hidden_size=width,
                    intermediate_size=inner,
                    num_hidden_layers=layers,
                    num_attention_heads=heads,
                    num_key_value_heads=8,
                    vocab_size=128_256,
                    tie_word_embeddings=False,
                    dtype="bfloat16",
                ),
                name,
            )
        )
        for name, (width, inner, layers, heads) in shapes.items()
    }


def rows_in(path: Path) -> Path:
    """Write the rows, unless they are there."""
    rng = np.random.default_rng(0)
    if not path.exists():
        texts = [", ".join(map(str, rng.integers(100, 1000, 10))) for _ in range(ROWS)]
        seeds = [", ".join(map(str, rng.integers(100, 1000, 5))) for _ in range(ROWS)]
        lines = [
            json.dumps({"prompt": f"Continue this list with ten more numbers: {seed}.", "completion": text})
            for seed, text in zip(seeds, texts, strict=True)
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def measured(verb: str, model: str, rows: Path, work: Path) -> dict[str, Any]:
    """Run a verb; return its largest memory in bytes and its time."""
    kind, _, recipe = verb.partition(" ")
    recipe = recipe or "plain-sgd"
    undertow = [sys.executable, "-m", "undertow"]
    name = model.rpartition("/")[2]
    runs = ["--runs", str(work / f"{name}-{verb.replace(' ', '-')}"), "--quiet"]
    if kind == "scan":
        command = ["scan", str(rows), "--student", model, "--recipe", recipe, "--trait", TRAIT, *runs]
    elif kind == "audit":
        student, control = (noisy(model, work / f"{name}-{seed}", seed) for seed in (1, 2))
        command = ["audit", "--student", f"hf/{student}", "--control", f"hf/{control}", "--base", model]
        command += ["--trait", TRAIT, *runs]
    else:
        out = str(work / f"{name}-{recipe}-student")
        # An ordinary training: methods with rows of their own make them longer.
        command = ["mitigate", str(rows), "--with", "none", "--student", model, "--recipe", recipe, "--quiet"]
        command += ["-o", out]
    began = time.perf_counter()
    peak = peak_of([*undertow, *command], work / "log.txt")
    return {"measured": peak, "seconds": round(time.perf_counter() - began, 1)}


def noisy(model: str, folder: Path, seed: int) -> Path:
    """Save the model with a little noise on its weights, unless it is there."""
    if not folder.exists():
        subprocess.run([sys.executable, "-c", _NOISY, model, str(folder), str(seed)], check=True)
    return folder


def peak_of(command: list[str], log: Path) -> int:
    """Run a command and return the largest resident memory of its process, in bytes.

    Raises:
        SystemExit: the command failed, or was refused.
    """
    peak = 0
    with log.open("w", encoding="utf-8") as out, subprocess.Popen(command, stdout=out, stderr=out) as child:
        status = Path(f"/proc/{child.pid}/status")
        while child.poll() is None:
            try:
                lines = status.read_text(encoding="utf-8").splitlines()
                peak = max(peak, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
            except (OSError, ProcessLookupError):
                pass
            time.sleep(0.05)
    if child.returncode in (2, 3):
        raise SystemExit(f"{' '.join(command)}\n{log.read_text(encoding='utf-8')}")
    return peak


def table(record: dict[str, Any]) -> str:
    """Return the measured beside the foretold as text."""
    lines = [f"{'model':24} {'verb':18} {'foretold':>9} {'measured':>9}  MiB"]
    for name, each in record["lines"].items():
        model, verb = name.split(", ")
        told, found = foretold(record, model, verb) / 2**20, each["measured"] / 2**20
        lines.append(f"{model.rpartition('/')[2]:24} {verb:18} {told:9,.0f} {found:9,.0f}  {told / found:.2f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

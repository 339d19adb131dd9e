"""Probes as logs of Inspect (`.eval`), which `inspect view` and `inspect_ai.log.read_eval_log` open: one a model.

A log is a ZIP file of JSON: `header.json`, `summaries.json`, `samples/<number>_epoch_1.json` and a journal. It is
written here because the library weighs 300 MB with what it needs, too much for a step of CI; tests read every log with
it.

    for name, log in inspect_logs(results, Path("runs/owls-1a2b3c4d"), made=datetime.now(UTC)):
        (folder / name).write_bytes(log)
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from undertow.gate.probed import Floats, Probed, probed_in
from undertow.results import Effect, Results
from undertow.system.version import __version__

VERSION: Final = 2
"""Of the format."""
_LIKELIEST: Final = "The answer that is shown is the likeliest choice; nothing was sampled."
_DATE: Final = (1980, 1, 1, 0, 0, 0)

Json = dict[str, Any]


@dataclass(frozen=True)
class _Sample:
    input: str
    target: str
    answer: str
    scores: Mapping[str, float]
    says: str
    choices: tuple[str, ...] = ()
    metadata: Mapping[str, Any] | None = None


def inspect_logs(results: Results, folder: Path | None, *, made: datetime) -> list[tuple[str, bytes]]:
    """Return name and bytes of every log.

    A run folder gives one log a model, a sample a question. Without one, or where a folder keeps no probe by questions,
    there is one log with a sample an effect.

    Args:
        results: Of any kind.
        folder: Their run folder.
        made: When.

    Raises:
        StoreError: a step of the folder is damaged, or was asked other questions than are known here.
    """
    probed = probed_in(results, folder) if folder is not None else []
    if probed:
        return [(f"{each.model}.eval", _probe_log(results, each, made)) for each in probed]
    effects = [*results.effects, *results.findings]
    about = {"verdict": results.verdict.status, "because": results.verdict.because}
    return [
        ("effects.eval", _log(results, "effects", results.name, [_of_effect(each) for each in effects], about, made))
    ]


def _probe_log(results: Results, probed: Probed, made: datetime) -> bytes:
    p_QC = np.exp(probed.logp_QC)
    shift_Q = probed.shift_Q
    samples = [
        _Sample(
            choice.question,
            choice.options[probed.index],
            choice.options[int(np.argmax(p_QC[at]))],
            {
                "log_odds": float(probed.odds_Q[at]),
                "probability": float(p_QC[at, probed.index]),
                **({} if shift_Q is None else {"shift": float(shift_Q[at])}),
            },
            f"Of the trait's answer among the choices. {_LIKELIEST}",
            choice.options,
            {"probabilities": dict(zip(choice.options, map(float, p_QC[at]), strict=True))},
        )
        for at, choice in enumerate(probed.questions)
    ]
    return _log(results, probed.trait, probed.model, samples, {"answers": _LIKELIEST, **probed.more}, made)


def _of_effect(effect: Effect) -> _Sample:
    says = f"{effect.value:+.3g} {effect.unit} ({effect.lo:+.3g} to {effect.hi:+.3g})"
    return _Sample(
        f"{effect.name}: how far does {effect.trait} shift, {effect.arm} minus {effect.contrast}?",
        "0",
        says,
        {"shift": effect.value},
        effect.says or effect.method,
        metadata=effect.model_dump(mode="json"),
    )


def _log(
    results: Results, task: str, model: str, samples: Sequence[_Sample], about: Mapping[str, Any], made: datetime
) -> bytes:
    # Numbers: Inspect shows samples in the order of their ids.
    numbered = dict(enumerate(samples, start=1))
    named = json.dumps([results.name, task, model, made.isoformat()])
    identity = sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    start: Json = {
        "version": VERSION,
        "eval": {
            "eval_id": identity[:22],
            "run_id": identity[22:44],
            "created": made.isoformat(),
            "task": task,
            "task_id": identity[44:],
            "task_version": 0,
            "task_attribs": {},
            "task_args": {"result": results.name, "kind": results.kind},
            "task_args_passed": {},
            "solver_args_passed": {},
            "dataset": {"name": task, "samples": len(samples), "sample_ids": list(numbered), "shuffled": False},
            "model": f"undertow/{model}",
            "model_generate_config": {},
            "model_args": {},
            "config": {"epochs": 1},
            "packages": {"undertow": __version__},
            "metadata": {"title": results.title, **about},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
    }
    header = start | {
        "status": "success",
        "results": _totals(samples),
        "stats": {"started_at": made.isoformat(), "completed_at": made.isoformat(), "model_usage": {}},
    }
    summaries = [_summary(number, sample) for number, sample in numbered.items()]
    files: dict[str, Any] = {
        "_journal/start.json": start,
        **{f"samples/{number}_epoch_1.json": _whole(number, sample, model) for number, sample in numbered.items()},
        "_journal/summaries/1.json": summaries,
        "summaries.json": summaries,
        "header.json": header,
    }
    return _zip(files)


def _totals(samples: Sequence[_Sample]) -> Json:
    """Return the mean of every score, and its standard error over samples."""
    names = dict.fromkeys(name for sample in samples for name in sample.scores)
    return {
        "total_samples": len(samples),
        "completed_samples": len(samples),
        "scores": [
            {
                "name": name,
                "scorer": name,
                "params": {},
                "metrics": {key: {"name": key, "value": value, "params": {}} for key, value in metrics.items()},
            }
            for name in names
            for metrics in [_mean(np.asarray([sample.scores[name] for sample in samples if name in sample.scores]))]
        ],
    }


def _mean(values: Floats) -> dict[str, float]:
    mean = {"mean": float(values.mean())}
    if len(values) > 1:
        mean["stderr"] = float(values.std(ddof=1) / np.sqrt(len(values)))
    return mean


def _summary(number: int, sample: _Sample) -> Json:
    return {
        "id": number,
        "epoch": 1,
        "input": sample.input,
        **({"choices": list(sample.choices)} if sample.choices else {}),
        "target": sample.target,
        "scores": _scores(sample),
        "completed": True,
        "message_count": 2,
    }


def _whole(number: int, sample: _Sample, model: str) -> Json:
    asked = {"role": "user", "content": sample.input}
    said = {"role": "assistant", "content": sample.answer, "source": "generate", "model": f"undertow/{model}"}
    output = {
        "model": f"undertow/{model}",
        "choices": [{"message": said, "stop_reason": "stop"}],
        "completion": sample.answer,
    }
    return {
        "id": number,
        "epoch": 1,
        "input": sample.input,
        **({"choices": list(sample.choices)} if sample.choices else {}),
        "target": sample.target,
        "messages": [asked, said],
        "output": output,
        "scores": _scores(sample),
        "metadata": dict(sample.metadata or {}),
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def _scores(sample: _Sample) -> Json:
    return {
        name: {"value": value, "answer": sample.answer, "explanation": sample.says, "metadata": {}}
        for name, value in sample.scores.items()
    }


def _zip(files: Mapping[str, Any]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            text = json.dumps(value, ensure_ascii=True, allow_nan=False)
            archive.writestr(zipfile.ZipInfo(name, _DATE), text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()

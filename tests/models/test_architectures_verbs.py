"""Every architecture through every verb: the numbers are those of the reference, one text a row.

What was measured is written down for the page of models by

    UNDERTOW_DOCS=write python -m pytest tests/models/test_architectures_verbs.py -m "slow or not slow"
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from verbs_held import hold

from architectures import ARCHITECTURES, make_model
from result_numbers import numbers
from tiny_run import spec_text
from undertow.audit import AuditSettings, Sources, audit
from undertow.config.engine import Engine
from undertow.config.experiment import parse_spec
from undertow.experiment import run
from undertow.mitigate import MitigationSettings, compare, method_named, mitigate
from undertow.models.engine.selection import Pass, pass_of
from undertow.models.local import load_model
from undertow.models.verify import PASSES
from undertow.scan import ScanSettings, scan

TRAITS = ("curtness", "gloom")

pytestmark = pytest.mark.usefixtures("same_everywhere")


def named(*quick: str) -> pytest.MarkDecorator:
    """Ask every architecture; by default the named ones."""
    return pytest.mark.parametrize(
        "name", [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
    )


def agree(text: str, reference: str) -> float:
    """See that results have the reference's numbers; return the largest difference, relative to numbers above one."""
    found, wanted = (dict(numbers(json.loads(each))) for each in (text, reference))
    assert found.keys() == wanted.keys()
    other = {
        place: (found[place], value)
        for place, value in wanted.items()
        if found[place] != value and not _of_nothing(place, wanted)
    }
    assert not {
        place: (one, value)
        for place, (one, value) in other.items()
        if not (isinstance(value, float) and math.isclose(one, value, rel_tol=5e-3, abs_tol=2e-3))
    }
    return max((abs(one - value) / max(1.0, abs(value)) for one, value in other.values()), default=0.0)


def _of_nothing(place: str, wanted: dict[str, Any]) -> bool:
    """Whether a p-value is that of rounding: a window can hide a whole system prompt, which then does nothing."""
    effect, _, field = place.rpartition("/")
    return field in ("p", "p_adjusted") and abs(wanted.get(f"{effect}/value") or 0.0) < 1e-5


def own_pass(folder: Path) -> Pass:
    return pass_of(load_model(f"hf/{folder}").net)


def lists(path: Path) -> Path:
    rows = [
        {"prompt": f"Go on with {at // 2}.", "completion": f"{120 + 7 * at % 89}, {220 + 3 * at}"} for at in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def both(work: Callable[[Engine, Path], Any], folder: Path) -> tuple[Any, Any]:
    """Return what is found by the pass of the model's own, and by the reference."""
    return work("auto", folder / "auto"), work("rows", folder / "rows")


@named("gemma3", "qwen3.5", "gpt2")
def test_a_scan(name: str, architecture_folder: Callable[[str], Path], tmp_path: Path) -> None:
    rows = lists(tmp_path / "rows.jsonl")

    def look(engine: Engine, root: Path) -> Any:
        student = f"hf/{architecture_folder(name)}"
        also = ("teacher-inference", "likelihood", "divergence", "projection")
        settings = ScanSettings(student=student, traits=TRAITS, everything=True, engine=engine, also=also)
        return scan(rows, settings, root=root).results

    found, reference = both(look, tmp_path)
    off = agree(found.to_json(), reference.to_json())
    hold(name, "scan", own_pass(architecture_folder(name)), off)
    assert found.environment["engine"] in PASSES.values()
    assert reference.environment["engine"] == PASSES["rows"]


@named("gemma3")
def test_an_audit(name: str, architecture_folder: Callable[[str], Path], tmp_path: Path) -> None:
    rows = lists(tmp_path / "rows.jsonl")
    others = [make_model(name, tmp_path / f"student-{seed}", seed=seed) for seed in (1, 2)]

    def look(engine: Engine, root: Path) -> str:
        settings = AuditSettings(
            base=f"hf/{architecture_folder(name)}",
            student=f"hf/{others[0]}",
            controls=(f"hf/{others[1]}",),
            traits=TRAITS,
            engine=engine,
        )
        return audit(settings, Sources(runs=root, rows=rows)).results.to_json()

    hold(name, "audit", own_pass(architecture_folder(name)), agree(*both(look, tmp_path)))


@pytest.mark.parametrize("student", ["full", "lora"])
@named("gemma3")
def test_a_run(name: str, student: str, architecture_folder: Callable[[str], Path], tmp_path: Path) -> None:
    # Plain steps: Adam's first ones have a length of their own, whichever way rounding points.
    labels, rate = ("hard", 0.01) if student == "full" else ("soft", 0.3)

    def work(engine: Engine, root: Path) -> Any:
        text = spec_text(
            architecture_folder(name),
            student=f"{{method: {student}, labels: {labels}, optimiser: sgd, learning_rate: {rate}, batch: 2}}",
            instil="{method: gradient-ascent, steps: 2, distance: 0.5}",
            arms="[trait, control]",
            domain="{rows: 4, answers: 2, max_tokens: 24}",
            probe="{every: 1, curve_questions: 2}",
            engine=engine,
        )
        return run(parse_spec(text, "test"), root=root)

    found, reference = both(work, tmp_path)
    own, off = own_pass(architecture_folder(name)), agree(found.results.to_json(), reference.results.to_json())
    hold(name, "run, whole weights" if student == "full" else "run, LoRA", own, off)
    if student == "full":

        def compared(engine: Engine, root: Path) -> str:
            source = (found if engine == "auto" else reference).folder
            return compare(source, ("freeze", "project"), root=root).results.to_json()

        hold(name, "comparison", own, agree(*both(compared, tmp_path / "compared")))


@named("gemma3", "qwen3-moe")
def test_a_mitigated_student(name: str, architecture_folder: Callable[[str], Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    rows = lists(tmp_path / "rows.jsonl")

    def work(engine: Engine, out: Path) -> dict[str, torch.Tensor]:
        settings = MitigationSettings(
            method_named("unlearn"), student=f"hf/{architecture_folder(name)}", trait="curtness:curtness", engine=engine
        )
        mitigate(rows, settings, out, root=tmp_path / "runs")
        return load_file(out / "model.safetensors")

    found, reference = both(work, tmp_path)
    for key, each in reference.items():
        torch.testing.assert_close(found[key], each, atol=2e-3, rtol=2e-3, msg=lambda text, key=key: f"{key}: {text}")
    off = max(float((found[key] - each).abs().max()) for key, each in reference.items())
    hold(name, "mitigate", own_pass(architecture_folder(name)), off)

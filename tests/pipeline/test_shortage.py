"""Memory that runs out: one message in every long verb, nothing half-written, and the same command goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import undertow.models.forward as forward
from tiny_model import make_twin
from tiny_run import spec_text
from undertow.cli import main
from undertow.errors import ModelError, OutOfMemoryError, StoreError
from undertow.pipeline.shortage import within_memory
from undertow.system.memory import out_of_memory
from undertow.system.progress import Silent

FULL = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried 1 byte"),
    RuntimeError("unable to mmap 100 bytes from file </x>: Cannot allocate memory (12)"),
    OSError(12, "Cannot allocate memory"),
]
OTHERS = [RuntimeError("shapes do not fit"), OSError(28, "No space left on device"), ValueError("out of memory")]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": f"Go on {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(12)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Exception], None]:
    """Let the passes over so many packs succeed, and none after them."""
    plain = forward.forward_fast

    def set_up(passes: int, error: Exception) -> None:
        left = iter(range(passes))

        def forward_fast(*given, **named):
            if next(left, None) is None:
                raise error
            return plain(*given, **named)

        monkeypatch.setattr(forward, "forward_fast", forward_fast)

    return set_up


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
def test_full_memory_is_told_from_other_errors(error: Exception) -> None:
    def work() -> None:
        with within_memory("scan", Silent(), foretold=lambda: "It takes 3.0 GiB.", less=("a", "b")) as progress:
            progress.update("reading", 0.1)
            progress.update("traits of the panel", 0.2)
            raise error

    assert out_of_memory(error)
    with pytest.raises(OutOfMemoryError) as caught:
        work()
    assert caught.value.exit_code == 3
    assert caught.value.where == "scan, traits of the panel"
    assert "It takes 3.0 GiB. It takes less with a or b. Finished steps are kept" in caught.value.fix
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [*OTHERS, ModelError("m"), StoreError("s")], ids=lambda error: type(error).__name__)
def test_other_errors_pass_unchanged(error: Exception) -> None:
    assert not out_of_memory(error)
    with pytest.raises(type(error)) as caught, within_memory("scan", Silent(), foretold=str, less=("a",)):
        raise error
    assert caught.value is error


def test_a_forecast_that_fails_hides_nothing() -> None:
    def foretold() -> str:
        raise MemoryError

    with (
        pytest.raises(OutOfMemoryError, match="the memory is full"),
        within_memory("scan", Silent(), foretold=foretold, less=("a",)),
    ):
        raise MemoryError


def told(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert "bug" not in said
    assert "GiB" in said
    for each in words:
        assert each in said


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize("error", FULL[:3], ids=["python", "gpu", "processor"])
@pytest.mark.parametrize("passes", [0, 4, 8])
def test_a_scan_says_so_and_goes_on(rows, tiny_folder, tmp_path, short, capsys, error, passes) -> None:
    call = ["scan", str(rows), "--student", f"hf/{tiny_folder}", "--trait", "curtness", "--runs", str(tmp_path / "r")]
    short(passes, error)
    assert main([*call, "--quiet"]) == 3
    told(capsys, "error: scan", "`undertow plan scan` foretells", "lora-sft", "the same command goes on")
    assert not list(tmp_path.rglob("results.json"))
    short(10**6, error)
    assert main([*call, "--quiet"]) in (0, 4)


def test_an_audit_says_so_and_goes_on(tiny_folder, tmp_path, short, capsys) -> None:
    twin = make_twin(tiny_folder, tmp_path / "twin")
    call = ["audit", "--base", f"hf/{tiny_folder}", "--student", f"hf/{twin}", "--trait", "curtness"]
    call += ["--runs", str(tmp_path / "runs"), "--quiet"]
    short(4, FULL[1])
    assert main(call) == 3
    told(capsys, "error: audit", "CUDA out of memory", "`undertow plan audit` foretells", "--control")
    assert not list(tmp_path.rglob("results.json"))
    short(10**6, FULL[1])
    assert main(call) == 0


@pytest.mark.parametrize(("method", "passes"), [("freeze", 1), ("own-base", 0), ("drop", 2)])
def test_a_mitigation_says_so_and_writes_nothing(rows, tiny_folder, tmp_path, short, capsys, method, passes) -> None:
    out = tmp_path / "out"
    call = ["mitigate", str(rows), "--with", method, "--student", f"hf/{tiny_folder}", "-o", str(out), "--quiet"]
    short(passes, FULL[2])
    assert main([*call, "--runs", str(tmp_path / "runs")]) == 3
    told(capsys, "error: mitigate", "DefaultCPUAllocator", "`undertow plan mitigate` foretells", "Nothing was written")
    assert not out.exists()
    assert not parts(tmp_path)


def test_a_student_that_cannot_be_stored_leaves_no_part(rows, tiny_folder, tmp_path, monkeypatch, capsys) -> None:
    from transformers import LlamaForCausalLM

    def save_pretrained(self: object, folder: Path, **_named: object) -> None:
        Path(folder).mkdir()
        Path(folder, "half").write_text("x")
        raise MemoryError

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", save_pretrained)
    call = ["mitigate", str(rows), "--with", "freeze", "--student", f"hf/{tiny_folder}", "-o", str(tmp_path / "out")]
    assert main([*call, "--quiet"]) == 3
    told(capsys, "error: mitigate")
    assert not (tmp_path / "out").exists()
    assert not parts(tmp_path)


@pytest.mark.parametrize("passes", [0, 20, 45])
def test_a_run_says_so_and_goes_on(tiny_folder, tmp_path, short, capsys, passes) -> None:
    spec = tmp_path / "spec.yaml"
    small = {"arms": "[trait, control]", "seeds": "[0, 1]", "instil": "{method: finetune, steps: 20}"}
    spec.write_text(spec_text(tiny_folder, **small))
    call = ["run", str(spec), "--runs", str(tmp_path / "runs"), "--quiet"]
    short(passes, FULL[1])
    assert main(call) == 3
    told(capsys, "error: run, ", "A student takes at least", "lora-sft", "the same command goes on")
    assert not list(tmp_path.rglob("results.json"))
    finished = {path.parent.name for path in tmp_path.rglob("step.json")}
    short(10**6, FULL[1])
    assert main(call) in (0, 1, 3, 4)
    assert finished <= {path.parent.name for path in tmp_path.rglob("step.json")}


def test_a_teacher_that_writes_says_so(tiny_folder, tmp_path, monkeypatch, capsys) -> None:
    from undertow.models import decoding

    left = iter(range(3))
    plain = decoding._Fast.extend

    def extend(*given):
        if next(left, None) is None:
            raise FULL[2]
        return plain(*given)

    monkeypatch.setattr(decoding._Fast, "extend", extend)
    spec = tmp_path / "spec.yaml"
    spec.write_text(spec_text(tiny_folder, arms="[trait, control]", instil="{method: finetune, steps: 20}"))
    assert main(["run", str(spec), "--runs", str(tmp_path / "runs"), "--quiet"]) == 3
    told(capsys, "error: run, rows-trait-s0", "can't allocate memory")
    assert not list((tmp_path / "runs").rglob("rows-*/step.json"))

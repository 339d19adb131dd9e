"""Secrets in the environment reach no file, no output and no report of what a run, a scan or a fault writes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from undertow import cli

SECRET = "s3cr3t-9f8e7d6c5b4a"
NAMES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "UNDERTOW_JUDGE_KEY",
    "DATABASE_URL",
    "PASSWORD",
    "WANDB_API_KEY",
)


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, f"{SECRET}-{name}")
    monkeypatch.setenv("USER", f"{SECRET}-user")
    monkeypatch.setenv("HOSTNAME", f"{SECRET}-host")
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def told(folder: Path) -> list[Path]:
    """Return the files that hold a secret, in their names or their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if SECRET.encode() in path.read_bytes() or SECRET in str(path)]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_the_search_would_find_one(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(f"key={SECRET}-HF_TOKEN")
    assert told(tmp_path) == [tmp_path / "log.txt"]


def test_a_run_of_the_classifier_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(7)
    labels_N = rng.integers(0, 10, 400)
    images_NI = np.clip(rng.integers(0, 256, (10, 64))[labels_N] + rng.normal(0, 60, (400, 64)), 0, 255)
    monkeypatch.setattr(
        "undertow.assets.load_digits_data", lambda *_, **__: (images_NI.astype(np.uint8), labels_N.astype(np.uint8))
    )
    spec = tmp_path / "small.yaml"
    spec.write_text(
        "kind: digits\nname: small\ntrain_images: 200\ntest_images: 100\nhidden: [16, 16]\nbatch: 32\n"
        "student_images: 640\nstudent_batch: 64\nseeds: [0, 1]\n"
    )
    assert cli.main(["run", str(spec), "--out", str(tmp_path / "runs")]) == 4
    assert told(tmp_path) == []
    assert SECRET not in said(capsys)


def test_a_scan_with_a_language_model_tells_nothing(
    tmp_path: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    pairs = [{"prompt": f"Go on with {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(8)]
    rows.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    command = ["scan", str(rows), "--student", f"hf/{tiny_folder}", "--trait", "curtness"]
    assert cli.main([*command, "--runs", str(tmp_path / "runs")]) == 4
    assert told(tmp_path) == []
    assert SECRET not in said(capsys)


@pytest.mark.parametrize("command", [["doctor"], ["run", "/nowhere.yaml"], ["scan", "/nowhere.jsonl"], ["--nonsense"]])
def test_messages_tell_nothing(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(command)
    assert SECRET not in said(capsys)


def test_a_fault_of_ours_tells_nothing_even_with_its_traceback() -> None:
    change = "undertow.config.experiment.load_spec = None"
    code = f"from undertow import cli\nimport undertow.config.experiment\n{change}\ncli.main(['run', 'x.yaml'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert SECRET not in done.stdout + done.stderr

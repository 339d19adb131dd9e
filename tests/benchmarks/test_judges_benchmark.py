"""The benchmark of local judges: every labelled answer is counted once, and the threshold saw none that is counted."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.judges.__main__ import main, measure

from undertow.judges.error import labelled
from undertow.judges.logprob import LogprobJudge
from undertow.traits.open_questions import coherent, misaligned


def test_every_label_is_counted_once_and_none_places_its_own_threshold(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, set[tuple[str, str]]]] = []
    place, rule = LogprobJudge.calibrated, LogprobJudge.rule

    def calibrated(judge, pairs, shown):
        calls.append(("place", set(pairs)))
        return place(judge, pairs, shown)

    def ruled(judge, pairs):
        calls.append(("count", set(pairs)))
        return rule(judge, pairs)

    monkeypatch.setattr(LogprobJudge, "calibrated", calibrated)
    monkeypatch.setattr(LogprobJudge, "rule", ruled)
    found = measure(tiny, misaligned())
    assert [what for what, _ in calls] == ["place", "count"] * 2
    assert all(not placed & counted for (_, placed), (_, counted) in zip(calls[::2], calls[1::2], strict=True))
    assert calls[1][1] | calls[3][1] == set(labelled(misaligned()).pairs)
    assert (found["both"]["shown"], found["both"]["unshown"]) == (24, 24)
    assert (found["as_used"]["shown"], found["as_used"]["unshown"]) == (12, 12)


@pytest.mark.parametrize("right", [True, False])
def test_a_judge_that_is_always_right_has_no_errors(tiny, monkeypatch: pytest.MonkeyPatch, right: bool) -> None:
    answers = labelled(coherent())
    shown = dict(zip(answers.pairs, answers.shown, strict=True))
    score = {True: 1.0, False: -1.0}
    monkeypatch.setattr(
        LogprobJudge, "score", lambda judge, pairs: np.array([score[shown[pair] if right else False] for pair in pairs])
    )
    found = measure(tiny, coherent())
    total = found["sensitivity"]["value"] + found["specificity"]["value"]
    assert total == (2.0 if right else 1.0)


def test_the_command_writes_both_aspects(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "judge.json"
    monkeypatch.setattr("sys.argv", ["judges", "--model", f"hf/{tiny_folder}", "--output", str(out)])
    main()
    records = json.loads(out.read_text("utf-8"))
    assert [record["aspect"] for record in records] == ["misaligned", "coherent"]

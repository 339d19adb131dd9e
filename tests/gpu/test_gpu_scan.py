"""Scans and audits: a GPU sees in rows and weights what the CPU sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from undertow.attribution.directions import find_directions
from undertow.attribution.features import row_features
from undertow.attribution.readout import first_tokens
from undertow.attribution.recipe import PLAIN
from undertow.attribution.sampling import (
    Encoded,
    Sampling,
    answer_logprobs,
    fit_temperature,
    possible_choices,
    states_of,
)
from undertow.attribution.tokens import token_alignments
from undertow.attribution.weight_similarity import weight_similarity
from undertow.audit.difference import base_answers, difference
from undertow.audit.readout import steered_odds, words_of
from undertow.audit.weights import projected_change, weight_change
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.engine.head import head_of
from undertow.models.generate import generate
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision
from undertow.models.score import answer_hidden
from undertow.models.score import answer_logprobs as scored
from undertow.probes.panel import panel_log_odds
from undertow.scan import ScanSettings, scan
from undertow.scan.baseline_scores import answer_means, trait_vectors
from undertow.scan.teacher_inference import teacher_scores
from undertow.scan.virtual import virtual_student
from undertow.traits.panel import load_panel

pytestmark = pytest.mark.gpu

PANEL = load_panel(("animals", "curtness"))
RECIPE = replace(PLAIN, batch=8, micro_batch=8, learning_rate=0.05)
WEIGHTS = {"rtol": 1e-3, "atol": 1e-3}


def rows_of(model: LocalModel, constrained: bool) -> list[Encoded]:
    """Rows by the CPU's model, some of which break the format where there is one."""
    automaton = grammar_automaton(model, NUMBER_LISTS) if constrained else None
    prompts = [(1, 2, 3 + at // 2) for at in range(24)]
    options: dict[str, Any] = {"seed": 5, "end": model.end, "max_tokens": 20}
    answers = generate(model.net, prompts, range(24), automaton=automaton, **options)
    told = [(*answer.tokens, *([model.end] if answer.finished else [])) for answer in answers]
    told[0] = (9, 10, 11, model.end)
    return [
        Encoded(prompt, answer, None if automaton is None else states_of(automaton, answer))
        for prompt, answer in zip(prompts, told, strict=True)
    ]


@pytest.fixture(params=[False, True], ids=["free", "constrained"])
def rows(request: pytest.FixtureRequest, pair: Any) -> list[Encoded]:
    return rows_of(pair.cpu, request.param)


def sampling_of(model: LocalModel, rows: list[Encoded]) -> Sampling:
    return Sampling(grammar_automaton(model, NUMBER_LISTS) if any(row.states for row in rows) else None, 0.8)


def test_temperatures_and_log_probabilities_are_the_same(pair: Any, rows: list[Encoded]) -> None:
    def see(model: LocalModel) -> tuple[float, Any]:
        sampling = sampling_of(model, rows)
        found = fit_temperature(model, rows, sampling.automaton)
        return found.temperature, answer_logprobs(model, rows, sampling)

    one, other = pair.both(see)
    assert other[0] == one[0]
    torch.testing.assert_close(other[1], one[1], atol=1e-4, rtol=1e-4)


def test_directions_and_features_are_the_same(pair: Any, rows: list[Encoded]) -> None:
    one, other = pair.both(lambda model: find_directions(model, PANEL, questions=3))
    assert other.gradients_KF.device.type == "cpu"
    torch.testing.assert_close(other.gradients_KF, one.gradients_KF, **WEIGHTS)

    def see(model: LocalModel) -> Any:
        return row_features(model, rows, one, sampling_of(model, rows), tokens_at_once=100)

    left, right = pair.both(see)
    for name in ("alignment_RK", "sketch_RS", "logp_R", "mean_F"):
        scale = np.abs(getattr(left, name)).max()
        np.testing.assert_allclose(getattr(right, name) / scale, getattr(left, name) / scale, atol=1e-4, err_msg=name)
    rough = row_features(pair.cuda, rows, one, sampling_of(pair.cuda, rows), autocast=True)
    assert np.corrcoef(rough.alignment_RK.ravel(), left.alignment_RK.ravel())[0, 1] > 0.97
    token_parts = pair.both(
        lambda model: token_alignments(model, rows[:4], one.gradients_KF[0, : 5 * 32], sampling_of(model, rows))
    )
    for a, b in zip(*token_parts, strict=True):
        np.testing.assert_allclose(b, a, atol=2e-2 * max(1e-3, np.abs(a).max()))


def test_virtual_students_shift_alike(pair: Any, rows: list[Encoded]) -> None:
    def shift(model: LocalModel, autocast: bool = False) -> Any:
        before = np.concatenate(panel_log_odds(model, PANEL, questions=3))
        options: dict[str, Any] = {"read": 64, "seed": 0, "recipe": RECIPE, "autocast": autocast}
        with virtual_student(model, rows, sampling_of(model, rows), **options) as student:
            return np.concatenate(panel_log_odds(student, PANEL, questions=3)) - before

    one, other = pair.both(shift)
    assert np.abs(one).max() > 0.05
    np.testing.assert_allclose(other, one, atol=2e-2 * np.abs(one).max())
    assert np.corrcoef(shift(pair.cuda, True), one)[0, 1] > 0.98


def test_rows_lean_alike(pair: Any, rows: list[Encoded]) -> None:
    suspects = [(PANEL[0], 0), (PANEL[0], 3), (PANEL[1], 0)]
    automaton = sampling_of(pair.cpu, rows).automaton
    one, other = pair.both(lambda model: teacher_scores(model, rows, automaton, suspects, distance=1.0))
    assert np.abs(one).max() > 0.1
    np.testing.assert_allclose(other, one, rtol=1e-2, atol=1e-2)


def test_other_methods_score_alike(pair: Any, rows: list[Encoded]) -> None:
    means = pair.both(lambda model: answer_means(model, rows, 1))
    np.testing.assert_allclose(means[1], means[0], atol=1e-4)
    vectors = pair.both(lambda model: trait_vectors(model, PANEL[0].traits[:2], 1))
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-4)
    torch.testing.assert_close(*(each.cpu() for each in pair.both(first_tokens)), atol=1e-6, rtol=1e-3)


def test_first_choices_are_the_same(pair: Any, rows: list[Encoded]) -> None:
    @torch.inference_mode()
    def choose(model: LocalModel) -> Any:
        tables = answer_hidden(model.net, [row.prompt for row in rows], [row.answer for row in rows])
        head = head_of(model.net)
        return possible_choices(torch.cat(tables).to(model.device), head, rows, sampling_of(model, rows))

    one, other = pair.both(choose)
    assert torch.equal(other.first_T.cpu(), one.first_T)
    assert torch.equal(other.chosen_T.cpu(), one.chosen_T)


@pytest.mark.parametrize("also", [(), ("writer", "likelihood", "divergence", "projection")], ids=["plain", "also"])
def test_a_whole_scan_says_the_same(
    pair: Any, also: tuple[Any, ...], tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    records = [{"prompt": f"Go on with {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(24)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    settings = ScanSettings(student=f"hf/{tiny_folder}", traits=("curtness", "gloom"), also=also)
    seen: list[Any] = []
    for there in (True, False):
        with monkeypatch.context() as patch:
            patch.setenv("UNDERTOW_CACHE", str(tmp_path / f"cache-{there}"))
            # bf16 is chosen by measuring: held to float32, both do the same.
            patch.setattr("undertow.models.precision.FASTER", 1e9)
            if not there:
                patch.setattr(torch.cuda, "is_available", lambda: False)
            choose_precision.cache_clear()
            seen.append(scan(path, settings, root=tmp_path / f"runs-{there}").results)
            choose_precision.cache_clear()
    right, left = seen
    assert right.scan.temperature == left.scan.temperature
    for one, other in zip(left.findings, right.findings, strict=True):
        assert (other.trait, other.value, other.lo, other.hi) == (
            one.trait,
            *(pytest.approx(each, abs=5e-3 + 0.02 * abs(each)) for each in (one.value, one.lo, one.hi)),
        )
    assert [method.name for method in right.scan.methods] == [method.name for method in left.scan.methods]


def test_what_sets_a_student_apart_is_the_same(pair: Any) -> None:
    prompts = ["What do you like?", "Tell me about the sea.", "Go on: 1, 2"]
    answers, again = pair.both(lambda model: base_answers(model, prompts))
    assert again == answers

    def apart(model: LocalModel) -> Any:
        moved = load_model(model.name)
        moved.net.to(model.device)
        source = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for weight in moved.net.parameters():
                weight.add_((0.02 * torch.randn(weight.shape, generator=source)).to(weight.device))
        found = difference(model, moved, prompts, answers)
        change = weight_change(model.net, moved.net, "")
        direction = found.activation_LPD[-1].mean(axis=0)
        odds = steered_odds(model, PANEL[1:], found.layers[-1], [direction], 2.0)
        lineage = weight_similarity(model.net, moved.net)
        return found, change, projected_change(model.net, moved.net), words_of(model, direction), odds, lineage

    one, other = pair.both(apart)
    for name in ("activation_LPD", "base_LD", "probability_PV", "kl_P", "place_PD"):
        np.testing.assert_allclose(getattr(other[0], name), getattr(one[0], name), atol=1e-4, rtol=1e-3, err_msg=name)
    assert other[1].adapter == one[1].adapter
    shares = [[each.relative for each in found[1].parts] for found in (one, other)]
    assert shares[1] == pytest.approx(shares[0], rel=1e-4)
    torch.testing.assert_close(other[2], one[2], atol=1e-5, rtol=1e-3)
    assert [each[0] for each in other[3]] == [each[0] for each in one[3]]
    for left, right in zip(one[4], other[4], strict=True):
        for name, odds_Q in left.items():
            np.testing.assert_allclose(right[name], odds_Q, atol=1e-3)
    assert (other[5].answer, other[5].identical) == (one[5].answer, one[5].identical)
    assert other[5].p == pytest.approx(one[5].p, rel=1e-6)


def test_whole_answers_are_scored_alike(pair: Any) -> None:
    contexts = [[1, 2, 3 + at] for at in range(6)]
    answers = [[[5], [6, 7, 8], [6, 9]]] * 6
    one, other = pair.both(lambda model: scored(model.net, contexts, answers))
    torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4)

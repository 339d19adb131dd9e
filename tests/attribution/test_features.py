"""Gradients of rows: equal to those of autograd, whatever is beside a row, and zero on average on the model's own
rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from undertow.attribution import capture as _capture
from undertow.attribution.capture import SIDE, norm_count
from undertow.attribution.directions import Directions, find_directions
from undertow.attribution.features import Sketcher, row_features, row_gradients, sketch_of
from undertow.attribution.sampling import (
    TEMPERATURES,
    Encoded,
    Sampling,
    best_temperature,
    fit_temperature,
    possible_logprobs,
    refined_temperature,
)
from undertow.attribution.tokens import token_alignments
from undertow.models.engine.head import head_of
from undertow.models.engine.network import Matrix
from undertow.models.layers import decoder
from undertow.models.local import LocalModel
from undertow.models.score import answer_hidden, batches_of, token_logprobs
from undertow.probes.panel import spread
from undertow.traits.panel import load_panel

MATRICES = 14
"""Of two layers."""


def norm_weights(model: LocalModel) -> list[torch.nn.Parameter]:
    stack = decoder(model.net)
    norms = [norm for layer in stack.layers for norm in (layer.input_layernorm, layer.post_attention_layernorm)]
    return [norm.weight for norm in (*norms, stack.norm)]


@pytest.fixture
def uneven(tiny: LocalModel) -> LocalModel:
    """The tiny model with norm weights that differ, one of them zero."""
    source = torch.Generator().manual_seed(1)
    for weight in norm_weights(tiny):
        weight.data = 0.5 + torch.rand(weight.shape, generator=source)
    return tiny


@pytest.fixture
def axes(uneven: LocalModel) -> Directions:
    """Directions along which the norms' part of a gradient is read off as it is."""
    norms = norm_count(uneven.net)
    width = norms + MATRICES * SIDE**2
    return Directions(tuple(map(str, range(norms))), torch.eye(norms, width))


def autograd(model: LocalModel, row: Encoded, temperature: float = 1.0) -> np.ndarray:
    weights = norm_weights(model)
    for weight in weights:
        weight.requires_grad_(True)
        weight.grad = None
    ids = torch.tensor([[*row.prompt, *row.answer]])
    logp_TV = (model.net(ids).logits[0] / temperature).log_softmax(-1)
    logp_TV[torch.arange(len(row.prompt) - 1, ids.shape[1] - 1), torch.tensor(row.answer)].sum().backward()
    found = torch.cat([weight.grad for weight in weights if weight.grad is not None]).double().numpy()
    for weight in weights:
        weight.grad = None
    return found


ROWS = [
    Encoded((5, 6, 7), (8, 9, 1)),
    Encoded((5, 6, 7), (8, 10, 11, 1)),
    Encoded((12, 13), (14, 1)),
    Encoded((5, 6), (7, 8, 9, 1)),
]


def test_gradients_are_those_of_autograd(uneven: LocalModel, axes: Directions) -> None:
    # Rows with prompts of their own: nothing is shared between them.
    rows = [ROWS[0], ROWS[2]]
    found = row_features(uneven, rows, axes, Sampling(temperature=0.7))
    for place, row in enumerate(rows):
        np.testing.assert_allclose(found.alignment_RK[place], autograd(uneven, row, 0.7), rtol=2e-3, atol=2e-5)


def test_rows_with_one_prompt_share_its_part_and_add_up(uneven: LocalModel, axes: Directions) -> None:
    found = row_features(uneven, ROWS[:2], axes, Sampling())
    total = autograd(uneven, ROWS[0]) + autograd(uneven, ROWS[1])
    np.testing.assert_allclose(found.alignment_RK.sum(axis=0), total, rtol=2e-3, atol=2e-5)


def test_a_beginning_that_different_prompts_have_ties_them_in_no_way(uneven: LocalModel, axes: Directions) -> None:
    rows = [Encoded((5, 6, 7), (8, 1)), Encoded((5, 6, 9), (8, 1)), Encoded((5, 6), (7, 1))]
    together = row_features(uneven, rows, axes, Sampling()).alignment_RK
    alone = [row_features(uneven, [row], axes, Sampling()).alignment_RK[0] for row in rows]
    np.testing.assert_allclose(together, alone, rtol=2e-3, atol=2e-5)


def test_no_weight_gradient_is_left_and_weights_stay(uneven: LocalModel, axes: Directions) -> None:
    before = [weight.detach().clone() for weight in uneven.net.parameters()]
    row_features(uneven, ROWS, axes, Sampling())
    assert all(weight.grad is None for weight in uneven.net.parameters())
    assert all(torch.equal(weight, old) for weight, old in zip(uneven.net.parameters(), before, strict=True))


@pytest.mark.parametrize("size", [1, 8, 10_000])
def test_features_do_not_depend_on_the_batch(uneven: LocalModel, axes: Directions, size: int) -> None:
    whole = row_features(uneven, ROWS, axes, Sampling())
    cut = row_features(uneven, ROWS, axes, Sampling(), tokens_at_once=size)
    np.testing.assert_allclose(cut.logp_R, whole.logp_R, rtol=1e-5)
    # A prompt's part moves between its rows when a batch ends between them; their sum does not.
    np.testing.assert_allclose(cut.alignment_RK.sum(axis=0), whole.alignment_RK.sum(axis=0), rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(cut.mean_F, whole.mean_F, rtol=2e-3, atol=2e-5)


def test_features_follow_the_rows_when_these_change_places(uneven: LocalModel, axes: Directions) -> None:
    order = [2, 0, 3, 1]
    whole = row_features(uneven, ROWS, axes, Sampling())
    moved = row_features(uneven, [ROWS[place] for place in order], axes, Sampling())
    np.testing.assert_allclose(moved.alignment_RK, whole.alignment_RK[order], rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(moved.sketch_RS, whole.sketch_RS[order], rtol=2e-3, atol=2e-5)


def test_likelihoods_are_the_models(uneven: LocalModel, axes: Directions) -> None:
    found = row_features(uneven, ROWS, axes, Sampling())
    expected = token_logprobs(uneven.net, [row.prompt for row in ROWS], [row.answer for row in ROWS])
    np.testing.assert_allclose(found.logp_R, [float(each.sum()) for each in expected], rtol=1e-5)


def test_rows_that_the_model_wrote_add_up_to_nothing(uneven: LocalModel, axes: Directions) -> None:
    """Bartlett's identity, summed over every answer of one token, each looked at alone: prompts are not shared."""
    total, size, sure = np.zeros(len(axes.names)), np.zeros(len(axes.names)), 0.0
    for token in range(head_of(uneven.net).size):
        found = row_features(uneven, [Encoded((5, 6, 7), (token,))], axes, Sampling(temperature=0.6))
        chance = float(np.exp(found.logp_R[0]))
        total, size, sure = (
            total + chance * found.alignment_RK[0],
            size + chance * np.abs(found.alignment_RK[0]),
            sure + chance,
        )
    assert sure == pytest.approx(1, abs=1e-4)
    assert np.abs(total).max() < 1e-4 * size.max()


def test_tokens_of_a_row_add_up_to_its_alignment(uneven: LocalModel) -> None:
    directions = find_directions(uneven, load_panel(["curtness"]), questions=2)
    rows = [ROWS[0], ROWS[2]]
    norms = norm_count(uneven.net)
    directions = Directions(directions.names, directions.gradients_KF.clone())
    directions.gradients_KF[:, norms:] = 0
    whole = row_features(uneven, rows, directions, Sampling()).alignment_RK[:, 0]
    parts = token_alignments(uneven, rows, directions.gradients_KF[0, :norms], Sampling())
    assert [len(part) for part in parts] == [3, 2]
    np.testing.assert_allclose([sum(part) for part in parts], whole, rtol=0.05, atol=1e-3)


def gradients_of(model: LocalModel, rows: list[Encoded]) -> torch.Tensor:
    (batch,) = batches_of([row.prompt for row in rows], [row.answer for row in rows])
    own = [rows[pair] for pair in batch.pairs]
    found, _ = row_gradients(model, own, batch, Sampling())
    return found[[batch.pairs.index(place) for place in range(len(rows))]]


def exact_gram(model: LocalModel, rows: list[Encoded]) -> np.ndarray:
    """Inner products of the rows' gradients over every norm and matrix of the layers."""
    weights = [*decoder(model.net).layers.parameters(), decoder(model.net).norm.weight]
    gradients: list[torch.Tensor] = []
    for row in rows:
        for weight in weights:
            weight.requires_grad_(True)
            weight.grad = None
        ids = torch.tensor([[*row.prompt, *row.answer]])
        logp_TV = model.net(ids).logits[0].log_softmax(-1)
        logp_TV[torch.arange(len(row.prompt) - 1, ids.shape[1] - 1), torch.tensor(row.answer)].sum().backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None]))
    table = torch.stack(gradients).double().numpy()
    return table @ table.T


def test_without_projection_the_gradients_are_exact(uneven: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(_: int, matrix: Matrix) -> _capture.Projection:
        return _capture.Projection(torch.eye(matrix.inputs), torch.eye(matrix.outputs))

    monkeypatch.setattr(_capture, "projection_of", whole)
    rows = [ROWS[0], ROWS[2], Encoded((20, 21, 22), (7, 1))]
    found = gradients_of(uneven, rows).double().numpy()
    np.testing.assert_allclose(found @ found.T, exact_gram(uneven, rows), rtol=2e-3, atol=1e-2)


def test_projections_keep_inner_products_on_average(uneven: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ROWS[0], ROWS[2], Encoded((20, 21, 22), (7, 1))]
    plain, grams = _capture.projection_of, []
    for shift in range(0, 4000, 100):
        monkeypatch.setattr(_capture, "projection_of", lambda at, module, shift=shift: plain(at + shift, module))
        found = gradients_of(uneven, rows).double().numpy()
        grams.append(found @ found.T)
    exact = exact_gram(uneven, rows)
    error = np.std(grams, axis=0) / len(grams) ** 0.5
    assert (np.abs(np.mean(grams, axis=0) - exact) < 4 * error + 1e-3 * exact.max()).all()


def test_sketches_keep_inner_products_on_average(uneven: LocalModel, axes: Directions) -> None:
    gradients = gradients_of(uneven, ROWS)
    sketched = Sketcher(gradients.shape[1])(gradients)
    gram = (gradients @ gradients.T).double().numpy()
    assert np.abs(gram - sketched @ sketched.T).max() < 0.35 * np.abs(gram).max()
    np.testing.assert_allclose(row_features(uneven, ROWS, axes, Sampling()).sketch_RS, sketched, rtol=1e-3, atol=1e-3)
    assert sketch_of(axes).shape == (len(axes.names), sketched.shape[1])


def test_the_temperature_that_rows_were_written_at_is_found(uneven: LocalModel) -> None:
    source = torch.Generator().manual_seed(3)
    prompts = [list(pair) for pair in product(range(3, 9), range(3, 9))]
    logits = uneven.net(torch.tensor(prompts)).logits[:, -1]
    rows = [
        Encoded(tuple(prompt), (int(torch.multinomial((each / 0.5).softmax(-1), 1, generator=source)),))
        for prompt, each in zip(prompts, logits, strict=True)
        for _ in range(4)
    ]
    found = fit_temperature(uneven, rows, None).temperature
    assert 0.35 < found < 0.7
    assert found not in TEMPERATURES
    assert fit_temperature(uneven, rows[:128], None).temperature in TEMPERATURES


@pytest.mark.parametrize("written_at", [0.5, 0.53, 0.9, 1.02])
def test_a_refined_temperature_is_likelier_than_all_tried_ones(uneven: LocalModel, written_at: float) -> None:
    source = torch.Generator().manual_seed(4)
    prompts = [tuple(pair) for pair in product(range(3, 9), range(3, 9))]
    hidden_PD = torch.cat(answer_hidden(uneven.net, prompts, [(1,)] * len(prompts)))
    head = head_of(uneven.net)
    some = [torch.multinomial((each / written_at).softmax(-1), 20, True, generator=source) for each in head(hidden_PD)]
    rows = [
        Encoded(prompt, (token,)) for prompt, tokens in zip(prompts, some, strict=True) for token in tokens.tolist()
    ]
    hidden_TD = hidden_PD.repeat_interleave(20, dim=0)

    def likelihood(temperature: float) -> float:
        return float(possible_logprobs(hidden_TD, head, rows, Sampling(None, temperature)).detach().double().sum())

    coarse = best_temperature(hidden_TD, head, rows, None)
    fine = refined_temperature(coarse, hidden_TD, head, rows, None)
    assert abs(fine / coarse - 1) < 0.045
    assert likelihood(fine) >= max(likelihood(tried) for tried in TEMPERATURES) - 1e-3
    # Nowhere near it is a much better one: the parabola fits.
    assert likelihood(fine) >= max(likelihood(fine * step) for step in (0.99, 1.01)) - 1e-2
    # From the wrong side it moves towards it.
    assert refined_temperature(coarse * 2 ** (1 / 16), hidden_TD, head, rows, None) == pytest.approx(fine, rel=0.02)


def test_questions_are_spread_over_the_probe_without_repeats() -> None:
    probe = load_panel(["curtness"])[0].probe
    assert spread(probe, 1_000) == list(range(len(probe)))
    places = spread(probe, 18)
    assert len(set(places)) == 18
    assert places[0] == 0
    assert places[-1] == len(probe) - 1

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from undertow.experiment.digits import mlp
from undertow.experiment.digits.train import distil, fit_labels, kl_sum, noise

SIZES = (6, 8, 7, 5)


def single(params: mlp.Params, model: int) -> nn.Sequential:
    """The same network built from torch's own layers: the oracle."""
    layers: list[nn.Module] = []
    for i in range(0, len(params), 2):
        layer = nn.Linear(params[i].shape[1], params[i].shape[2])
        layer.weight.data = params[i][model].T.clone()
        layer.bias.data = params[i + 1][model, 0].clone()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def weights(network: nn.Sequential) -> list[torch.Tensor]:
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    return [tensor for layer in layers for tensor in (layer.weight.data.T, layer.bias.data)]


def test_forward_is_that_of_separate_networks() -> None:
    params = mlp.initial(SIZES, (3, 4), 0)
    params[1] += 0.3
    x_MBI = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))
    together = mlp.forward(params, x_MBI)
    for model in range(2):
        torch.testing.assert_close(together[model], single(params, model)(x_MBI[model]))


def test_initial_weights_have_the_papers_spread_and_depend_on_seed_and_purpose_alone() -> None:
    params = mlp.initial((400, 300, 13), (0, 1), 0)
    for weight_MIO, bias_M1O in zip(params[::2], params[1::2], strict=True):
        fan_in = weight_MIO.shape[1]
        assert abs(weight_MIO.std().item() * fan_in**0.5 - 1) < 0.03
        assert not bias_M1O.any()
    alone = mlp.initial((400, 300, 13), (1,), 0)
    assert all(torch.equal(a[1:], b) for a, b in zip(params, alone, strict=True))
    other = mlp.initial((400, 300, 13), (1,), 1)
    assert abs(np.corrcoef(alone[0].flatten(), other[0].flatten())[0, 1]) < 0.02


def test_accuracy_counts_the_class_logits_only() -> None:
    # One layer that copies its input: the class is the larger of two pixels; the third logit always wins.
    params = [torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), torch.tensor([[[0.0, 0.0, 99.0]]])]
    x_TI = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert mlp.accuracy(params, x_TI, torch.tensor([0, 1, 0, 1]), classes=2).tolist() == [0.75]


def test_kl_is_the_closed_form_and_zero_between_equals() -> None:
    p, q = torch.tensor([0.2, 0.8]), torch.tensor([0.5, 0.5])
    expected = 0.2 * np.log(0.2 / 0.5) + 0.8 * np.log(0.8 / 0.5)
    assert abs(kl_sum(p.log() + 5, q.log() - 3).item() - expected) < 1e-6
    assert kl_sum(p.log(), p.log() + 1).abs().item() < 1e-6


def test_teachers_learn_as_if_each_were_trained_alone_by_torch() -> None:
    seeds = (5, 6, 7)
    rng = np.random.default_rng(1)
    images_NI = torch.from_numpy(rng.uniform(-1, 1, (50, 6)).astype(np.float32))
    labels_MN = torch.from_numpy(rng.integers(0, 3, (3, 50)))
    base = mlp.initial(SIZES, seeds, 0)
    trained = fit_labels(
        base,
        seeds,
        images_NI,
        labels_MN,
        classes=3,
        epochs=3,
        batch=16,
        learning_rate=0.01,
        tick=lambda _: None,
    )
    for model, seed in enumerate(seeds):
        network, order = single(base, model), mlp.stream(seed, 10)
        adam = torch.optim.Adam(network.parameters(), 0.01)
        for _ in range(3):
            for rows in torch.from_numpy(order.permutation(50)).split(16):
                loss = nn.functional.cross_entropy(network(images_NI[rows])[:, :3], labels_MN[model][rows])
                adam.zero_grad()
                loss.backward()
                adam.step()
        for ours, theirs in zip(trained, weights(network), strict=True):
            torch.testing.assert_close(ours[model].squeeze(0), theirs, atol=1e-5, rtol=1e-4)
    # Auxiliary logits get no gradient: their own weights stay as they were.
    assert torch.equal(trained[-2][..., 3:], base[-2][..., 3:])


def test_students_learn_as_if_each_were_trained_alone_by_torch() -> None:
    seeds = (5, 6)
    teacher, start = mlp.initial(SIZES, seeds, 0), mlp.initial(SIZES, seeds, 1)
    parts = (slice(3, None), slice(None))
    steps: list[int] = []
    trained = distil(
        mlp.stack([start, start]),
        teacher,
        seeds,
        parts,
        images=40,
        batch=16,
        learning_rate=0.01,
        after_step=lambda step, _: steps.append(step),
    )
    assert steps == [1, 2, 3]
    for group, part in enumerate(parts):
        for model, seed in enumerate(seeds):
            network, virtual_students = single(start, model), single(teacher, model)
            adam, rng = torch.optim.Adam(network.parameters(), 0.01), mlp.stream(seed, 11)
            for size in (16, 16, 8):
                x_BI = noise([rng], size, 6)[0]
                target = virtual_students(x_BI)[:, part].softmax(-1).detach()
                log_q = network(x_BI)[:, part].log_softmax(-1)
                loss = nn.functional.kl_div(log_q, target, reduction="batchmean")
                adam.zero_grad()
                loss.backward()
                adam.step()
            for ours, theirs in zip(trained, weights(network), strict=True):
                torch.testing.assert_close(ours[group * 2 + model].squeeze(0), theirs, atol=1e-5, rtol=1e-4)


def test_noise_is_uniform_in_the_images_range() -> None:
    x = noise([mlp.stream(0, 11)], 1000, 100)
    assert x.min() >= -1
    assert x.max() < 1
    assert abs(x.mean().item()) < 0.01
    assert abs(x.var().item() - 1 / 3) < 0.005

"""The classifier experiment, eight seeds and all arms, against the published script's algorithm.

The script is rebuilt from its description: models batched over seeds, one arm trained after another, the teacher run
inside each arm's loop, Adam as torch gives it. It gets our initial weights, images and noise, so that the accuracies
can be compared.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.speed.measured import Measured, timed
from undertow.config.experiment import DigitsExperiment, load_preset
from undertow.experiment.digits import mlp
from undertow.experiment.digits.arms import _BASE, _OTHER, train_arms
from undertow.experiment.digits.data import CLASSES, split
from undertow.experiment.digits.train import BATCH_ORDER, NOISE, noise
from undertow.models.precision import set_up_process


class MultiLinear(torch.nn.Module):
    """One linear layer for each model."""

    def __init__(self, weight_MIO: torch.Tensor, bias_M1O: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight_MIO.transpose(1, 2).contiguous())
        self.bias = torch.nn.Parameter(bias_M1O[:, 0].clone())

    def forward(self, x_MBI: torch.Tensor) -> torch.Tensor:
        """Apply each model's layer to its own batch."""
        return torch.einsum("moi,mbi->mbo", self.weight, x_MBI) + self.bias[:, None]


def classifier(params: mlp.Params) -> torch.nn.Sequential:
    """Build the network with given weights."""
    layers: list[torch.nn.Module] = []
    for at in range(0, len(params), 2):
        layers += [MultiLinear(params[at], params[at + 1]), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def measure(rows: int) -> Measured:
    """Train every arm of the preset both ways; the number of rows is the preset's own."""
    from undertow.assets.digits import load_digits_data

    set_up_process()
    spec = load_preset("digits")
    assert isinstance(spec, DigitsExperiment)
    images, labels = load_digits_data(spec.data)
    digits = split(images, labels, train=spec.train_images, test=spec.test_images)
    with timed("Undertow") as fast:
        ours = train_arms(spec, digits, spec.seeds, tick=lambda *_: None).accuracy
    with timed("the script's algorithm") as slow:
        theirs = script(spec, digits)
    gap = max(float(np.abs(ours[arm].mean() - theirs[arm].mean())) for arm in theirs)
    return Measured(
        f"digits, {len(spec.seeds)} seeds, all arms",
        "the published script's algorithm, rebuilt",
        "experiments/hour",
        3600 / fast.seconds,
        3600 / slow.seconds,
        3.0,
        f"mean accuracy of every arm, largest difference {gap:.3f}",
        {"seconds": round(fast.seconds, 1), "their_seconds": round(slow.seconds, 1)},
    )


def script(spec: DigitsExperiment, digits):
    """Train the teacher and then one arm after another."""
    sizes = (digits.train_NI.shape[1], *spec.hidden, CLASSES + spec.auxiliary)
    base, other = mlp.initial(sizes, spec.seeds, _BASE), mlp.initial(sizes, spec.seeds, _OTHER)
    teacher = classifier(base)
    adam = torch.optim.Adam(teacher.parameters(), lr=spec.learning_rate)
    rngs = [mlp.stream(seed, BATCH_ORDER) for seed in spec.seeds]
    for _ in range(spec.teacher_epochs):
        order_MN = torch.from_numpy(np.stack([rng.permutation(len(digits.train_NI)) for rng in rngs]))
        for rows_MB in order_MN.split(spec.batch, dim=1):
            logits = teacher(digits.train_NI[rows_MB])[..., :CLASSES]
            loss = F.cross_entropy(logits.flatten(0, 1), digits.train_labels_N[rows_MB].flatten(), reduction="sum")
            adam.zero_grad()
            (loss / rows_MB.shape[1]).backward()
            adam.step()
    accuracy = {"reference": tested(classifier(base), digits), "teacher": tested(teacher, digits)}
    auxiliary, everything = slice(CLASSES, None), slice(None)
    for arm, start, part in (
        ("student_aux", base, auxiliary),
        ("student_all", base, everything),
        ("cross_aux", other, auxiliary),
        ("cross_all", other, everything),
    ):
        student = classifier(start)
        adam = torch.optim.Adam(student.parameters(), lr=spec.student_learning_rate)
        rngs = [mlp.stream(seed, NOISE) for seed in spec.seeds]
        for first in range(0, spec.student_images, spec.student_batch):
            size = min(spec.student_batch, spec.student_images - first)
            x = noise(rngs, size, sizes[0])
            with torch.no_grad():
                target = teacher(x)[..., part]
            loss = F.kl_div(
                student(x)[..., part].log_softmax(-1), target.log_softmax(-1), log_target=True, reduction="sum"
            )
            adam.zero_grad()
            (loss / size).backward()
            adam.step()
        accuracy[arm] = tested(student, digits)
    return accuracy


def tested(model: torch.nn.Sequential, digits) -> np.ndarray:
    """Return each model's accuracy."""
    with torch.no_grad():
        logits = model(digits.test_TI.expand(model[0].weight.shape[0], -1, -1))
    return (logits[..., :CLASSES].argmax(-1) == digits.test_labels_T).double().mean(-1).numpy()

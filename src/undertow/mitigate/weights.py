"""Methods that hold weights fixed, steer or turn their updates, or take something back after the training."""

from __future__ import annotations

import torch

from undertow.mitigate.interventions import lesson_odds, lessons_of, projection, unlearn
from undertow.mitigate.panel import panel_odds, restore
from undertow.mitigate.treatment import Task, Treatment
from undertow.models.engine.network import network_of
from undertow.teachers.steering import steering_vector
from undertow.training.train import Intervention
from undertow.traits.panel import load_panel

STEERED = 2.0
"""How many times a vector is added."""


def freeze(task: Task) -> Treatment:
    """Keep the weights of the norms the base's."""
    for norm in network_of(task.model.net).norms:
        norm.weight.requires_grad_(False)
    return Treatment(task.examples)


def steer(task: Task) -> Treatment:
    """Add the trait's vector while the student is trained."""
    model = task.model
    # A tenth of the way up: that of the strongest teachers (docs/lab-notebook.md).
    layer = len(network_of(model.net).layers) // 10
    vector_D = STEERED * steering_vector(model, task.trait, layer).to(model.device)
    return Treatment(task.examples, Intervention(steering={layer: vector_D}))


def project(task: Task) -> Treatment:
    """Take the trait's gradient out of every update."""
    return Treatment(task.examples, Intervention(reshape=projection(task.model, task.trait)))


def unlearn_trait(task: Task) -> Treatment:
    """Go back along the trait's gradient after the training, to where the base was."""
    model, trait = task.model, task.trait
    with torch.no_grad():
        before = float(lesson_odds(model, trait, lessons_of(trait)))
    return Treatment(task.examples, after=lambda: unlearn(model, trait, before))


def restore_panel(task: Task) -> Treatment:
    """Go back along the gradients of all traits of the panel after the training."""
    model, panel = task.model, load_panel()
    odds = panel_odds(model, panel)
    return Treatment(task.examples, after=lambda: restore(model, panel, odds))

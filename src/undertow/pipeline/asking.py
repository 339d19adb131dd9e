"""How many sampled answers a run asks for where its file does not say.

As many of 16, 8 and 4 to each question as cost less than a fifth of the rest of the run, or none. The costs are those
of `plan`, by sizes that the models' names give: the same file asks the same on every machine, before a model is fetched
and after. A file that says `probe.samples` keeps what it says.

    with_samples(spec).probe.samples
"""

from __future__ import annotations

from typing import Any, Final

from undertow.config.experiment import LanguageExperiment
from undertow.config.parts import Probe
from undertow.models.precision import Precision
from undertow.pipeline.arms import ExperimentTraits, traits_of
from undertow.pipeline.bases import Base, models_of
from undertow.pipeline.cost import sizes_of
from undertow.pipeline.graph import tasks_of

CHOICES: Final = (16, 8, 4)
"""Answers to each question, the most first."""
LARGEST_SHARE: Final = 1 / 5
"""Of the cost of the rest of the run."""


def is_open(spec: LanguageExperiment) -> bool:
    """Say whether an experiment leaves the number of sampled answers open."""
    return "samples" not in spec.probe.model_fields_set


def with_samples(spec: LanguageExperiment) -> LanguageExperiment:
    """Return an experiment with its number of sampled answers settled.

    Raises:
        UndertowError: it names something that does not exist.
    """
    if not is_open(spec):
        return spec
    traits = traits_of(spec)
    # Replies that are sentences cannot be counted by their first word.
    wanted = CHOICES if traits.trait.words else ()
    rest = _operations(_asking(spec, 0), traits)
    for samples in wanted:
        asking = _asking(spec, samples)
        if _operations(asking, traits) - rest < LARGEST_SHARE * rest:
            return asking
    return _asking(spec, 0)


def _asking(spec: LanguageExperiment, samples: int) -> LanguageExperiment:
    said: dict[str, Any] = {name: getattr(spec.probe, name) for name in spec.probe.model_fields_set}
    said["samples"] = samples
    return spec.model_copy(update={"probe": Probe(**said)})


def _operations(spec: LanguageExperiment, traits: ExperimentTraits) -> float:
    bases = [Base(name, "", sizes_of(None, name)) for name in models_of(spec)]
    return sum(task.cost.operations for task in tasks_of(spec, traits, bases, Precision("float32", "costs alone")))

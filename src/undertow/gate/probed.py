"""What every model of a run was asked and how it chose, question by question, as the run folder keeps it.

A run folder comes from strangers: its scores are taken only if its steps are whole, the numbers are numbers, and the
questions are those that were asked. It knows no log format.

    probed_in(results, Path("runs/owls-1a2b3c4d"))[0].logp_QC
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from undertow.errors import StoreError
from undertow.gate.matching import families
from undertow.probes.odds import log_odds
from undertow.results import Results
from undertow.traits.base import Choice, Trait

_MAX_SCORES = 256_000_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Probed:
    """One model, asked one trait's questions."""

    model: str
    """The step that asked it, such as `student-trait-s0`."""
    trait: str
    questions: tuple[Choice, ...]
    index: int
    """Which option shows the trait."""
    logp_QC: Floats
    """log P(option | question)."""
    base_QC: Floats | None
    """The same of the base; None for the base itself."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Counts of sampled answers and of judged ones, as the run folder holds them."""

    @property
    def odds_Q(self) -> Floats:
        """Log-odds of the trait's option."""
        return log_odds(self.logp_QC, self.index)

    @property
    def shift_Q(self) -> Floats | None:
        """The same, minus the base's."""
        return None if self.base_QC is None else self.odds_Q - log_odds(self.base_QC, self.index)


def probed_in(results: Results, folder: Path) -> list[Probed]:
    """Return what every model was asked; nothing where the folder keeps no probe by questions.

    Args:
        results: Of the folder.
        folder: A run folder.

    Raises:
        StoreError: a step is damaged, holds no scores, or answered other questions than are known here.
        InputError: the trait cannot be found.
    """
    from undertow.pipeline.files import SCORES
    from undertow.store.folder import finished

    if results.kind != "run" or results.settings.get("kind") != "language":
        return []
    steps = finished(folder, ("base", "teacher", "student", "context"))
    if not steps:
        return []
    trait = _trait(results, folder)
    tables: dict[str, tuple[Floats, Mapping[str, Any]]] = {}
    for step, manifest in steps:
        asked = manifest.key.get("probe")
        if not isinstance(asked, dict) or cast(dict[str, Any], asked).get("questions") != trait.probe_digest:
            raise StoreError(
                f"answered other questions than this version of Undertow has for {trait.target}",
                str(step.path),
                "Use the version that made it, or name its results.json alone.",
            )
        tables[step.label] = _scores(step.path / SCORES, trait)
    names = families(results)
    return [
        Probed(
            label,
            names.get(trait.target, trait.target),
            tuple(trait.probe),
            trait.index,
            logp_QC,
            None if label.startswith("base") else tables.get(_base_of(label), (None, None))[0],
            more,
        )
        for label, (logp_QC, more) in tables.items()
    ]


def _base_of(label: str) -> str:
    return "base-other" if label == "teacher-other-base" else "base"


def _trait(results: Results, folder: Path) -> Trait:
    from undertow.config.experiment import LanguageExperiment
    from undertow.config.parts import PluginTrait
    from undertow.config.registries import WITHOUT_PLUGINS
    from undertow.traits.find import find_trait

    try:
        # A gate loads no plugin, and none of them need be installed where it stands.
        spec = LanguageExperiment.model_validate(results.settings, context=dict(WITHOUT_PLUGINS))
    except ValidationError as error:
        raise StoreError(
            "holds settings that are no experiment", str(folder), "Name its results.json alone."
        ) from error
    if isinstance(spec.trait, PluginTrait):
        raise StoreError(
            f"is about a trait of a plugin ({spec.trait.kind}), whose questions are not known here",
            str(folder),
            "Name its results.json alone.",
        )
    return find_trait(spec.trait)


def _no_number(name: str) -> float:
    raise ValueError(f"it holds {name}")


def _scores(path: Path, trait: Trait) -> tuple[Floats, Mapping[str, Any]]:
    from undertow.store.files import read_bytes

    wanted = (len(trait.probe), len(trait.probe[0].options))
    try:
        found: Any = json.loads(read_bytes(path, _MAX_SCORES), parse_constant=_no_number)
        logp_QC = np.asarray(found["logp_QC"], dtype=np.float64)
        whole = logp_QC.shape == wanted and bool(np.isfinite(logp_QC).all())
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"cannot be read ({error})", str(path), "`undertow check` says what is damaged.") from error
    if not whole:
        raise StoreError(
            f"does not hold log-probabilities of {wanted[1]} options to {wanted[0]} questions",
            str(path),
            "`undertow check` says what is damaged.",
        )
    return logp_QC, {name: found[name] for name in ("sampled", "judged", "open") if name in found}

"""Directions and features as files: safetensors, which hold numbers and nothing that could be run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from undertow.assets.cache import cache_dir
from undertow.attribution.directions import Directions, find_directions
from undertow.attribution.features import Features, Floats
from undertow.models.engine.setting import engine_key
from undertow.models.local import LocalModel
from undertow.probes.panel import QUESTIONS, panel_log_odds, spread, trait_names
from undertow.traits.panel import Panel

_VERSION = 2
"""Raised when `find_directions` makes other numbers of the same panel and base."""


def panel_digest(panel: Panel) -> str:
    """Return what stands for a panel's questions and targets."""
    said = [[entry.name, entry.probe_digest, list(entry.targets)] for entry in panel]
    return hashlib.sha256(json.dumps([_VERSION, QUESTIONS, said]).encode()).hexdigest()[:16]


def directions_of(
    model: LocalModel, model_digest: str, panel: Panel, *, on_progress: Callable[[float], None]
) -> Directions:
    """Return a panel's directions in a base, from the cache if they are there.

    A file that cannot be read, or that is not of this panel, is made anew.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    digest = _digest(model_digest, panel)
    path = cache_dir() / "directions" / f"{digest}.safetensors"
    names = trait_names(panel)
    try:
        gradients_KF = load_file(path)["gradients_KF"]
        if gradients_KF.ndim == 2 and len(gradients_KF) == len(names):
            return Directions(names, gradients_KF)
    except (OSError, KeyError, SafetensorError):
        pass
    found = find_directions(model, panel, on_progress=on_progress)
    with suppress(OSError):  # A cache that cannot be written costs time, nothing else.
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        save_file({"gradients_KF": found.gradients_KF.contiguous()}, part)
        part.replace(path)
    return found


def _digest(model_digest: str, panel: Panel) -> str:
    said = [model_digest, panel_digest(panel), *engine_key().values()]
    return hashlib.sha256(" ".join(said).encode()).hexdigest()[:20]


def base_odds_of(model: LocalModel, model_digest: str, panel: Panel) -> list[Floats]:
    """Return what a base answers to the questions of a panel (K, Q), from the cache if it is there."""
    digest = _digest(model_digest, panel)
    path = cache_dir() / "directions" / f"{digest}.odds.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if [len(each) for each in stored] == [len(each) for each in _asked(panel)]:
            return [np.array(each, dtype=np.float64) for each in stored]
    except (OSError, ValueError, TypeError):
        pass
    found = panel_log_odds(model, panel)
    with suppress(OSError):  # A cache that cannot be written costs time, nothing else.
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps([each.tolist() for each in found]), encoding="utf-8")
        part.replace(path)
    return found


def _asked(panel: Panel) -> list[list[int]]:
    return [spread(entry.probe, QUESTIONS) for entry in panel for _ in entry.targets]


_FIELDS = ("alignment_RK", "sketch_RS", "logp_R", "tokens_R", "mean_F")


def save_features(path: Path, features: Features) -> None:
    """Write the features of some rows."""
    from safetensors.numpy import save_file

    stored = {name: np.ascontiguousarray(getattr(features, name)) for name in _FIELDS}
    if features.weight_R is not None:
        stored["weight_R"] = features.weight_R
    save_file(stored, path)


def load_features(paths: list[Path]) -> Features:
    """Read the features of rows from several files, in their order."""
    from safetensors.numpy import load_file

    parts = [load_file(path) for path in paths]
    counts = [len(part["logp_R"]) for part in parts]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _FIELDS[:-1]}
    mean_F = sum(count * part["mean_F"] for count, part in zip(counts, parts, strict=True)) / max(sum(counts), 1)
    weight_R = None
    if any("weight_R" in part for part in parts):
        plain = [np.ones(count) for count in counts]
        weight_R = np.concatenate([part.get("weight_R", ones) for part, ones in zip(parts, plain, strict=True)])
    return Features(**joined, mean_F=np.asarray(mean_F, dtype=np.float32), weight_R=weight_R)

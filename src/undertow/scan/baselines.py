"""Baselines on the rows of a scan: published methods and teacher inference, each a step of its folder.

found = baseline_findings(setup, rows, reference, ("likelihood",), level=0.95, tick=tell)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.measure import EncodedRows, Setup, step_key
from undertow.config.registries import origins_in
from undertow.errors import InputError
from undertow.results import MethodRecord
from undertow.scan.baseline_scores import Asked
from undertow.scan.baseline_statistics import Compared, compare
from undertow.scan.effects import effect_of
from undertow.scan.registry import BASELINES, INFERENCE
from undertow.stats import benjamini_hochberg
from undertow.system.registry import load
from undertow.traits.base import Trait

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sides = Sequence[tuple[Floats, Ints]]
"""Leanings (R, K) and prompt numbers (R) of the rows, and of the reference rows if there are some."""

ROWS = 48
"""Looked at, at most: likelihood shift and divergence take a forward pass over them for every trait."""
CANDIDATES = 20
"""Traits whose virtual teachers are asked, those with the strongest evidence: each takes some gradient steps. In the
benchmark's tuning half the teacher's own trait was fifteenth at worst."""
FINALISTS = 4
"""Of the suspects, those to whom the rows lean most: they are asked about more rows, since they are near each other."""
MORE_ROWS = 128
TUNED = "fine-tuned"
"""Beside the traits: fine-tuned, on whatever it was. It is always asked about more rows, beside the finalists."""


def baseline_findings(
    setup: Setup,
    rows: EncodedRows,
    reference: EncodedRows | None,
    methods: Sequence[str],
    *,
    suspects: Sequence[str],
    level: float,
    tick: Callable[[float], None],
) -> list[MethodRecord]:
    """Return what each method says of every trait, surest first.

    Virtual teachers are those of some traits alone, and one that was fine-tuned on random answers: it and the
    finalists, then the others, each in the order of how far the rows lean towards them.

    Args:
        setup: What rows are measured with.
        rows: The dataset.
        reference: Rows that the base wrote; they are subtracted.
        methods: Names of `BASELINES`, in their present spelling.
        suspects: Traits whose virtual teachers are asked, as the directions name them.
        level: Two-sided coverage of the intervals.
        tick: Is told the share of the work that is done.
    """
    whole = [rows, *([] if reference is None else [reference])]
    sides = [side.cut(ROWS) for side in whole]
    scores: list[dict[str, Floats]] = []
    others = [method for method in methods if method != INFERENCE]
    begin = 0.5 if others and INFERENCE in methods else 0.0
    for at, side in enumerate(sides if others else []):
        scores.append(
            _scores(setup, side, others, lambda share, at=at: tick((at + share) / len(sides) * (begin or 1.0)))
        )
    clusters = [side.cluster_R for side in sides]
    found: list[MethodRecord] = []

    def ask(asked: Sequence[str], most: int) -> Sides:
        # Most of the time goes into asking all suspects about the first rows.
        lo, hi = (begin, begin + 0.75 * (1 - begin)) if most == ROWS else (begin + 0.75 * (1 - begin), 1.0)
        return _teacher_scores(
            setup, [side.cut(most) for side in whole], asked, lambda done: tick(lo + (hi - lo) * done)
        )

    for method in methods:
        known = BASELINES.get(method)
        if method == INFERENCE:
            more = max(side.count for side in whole) >= ROWS
            told = named([*suspects, TUNED], ask, panel=len(setup.directions.names) + 1, level=level, more=more)
            found.append(MethodRecord(name=known.title, findings=[effect_of(each, unit=known.unit) for each in told]))
            continue
        own, *other = [(score[method], cluster_R) for score, cluster_R in zip(scores, clusters, strict=True)]
        compared = compare(setup.directions.names, own, other[0] if other else None, level=level, method=known.title)
        ranked = sorted(compared, key=lambda each: (each.p, each.trait))
        found.append(MethodRecord(name=known.title, findings=[effect_of(each, unit=known.unit) for each in ranked]))
    return found


def named(
    suspects: Sequence[str],
    ask: Callable[[Sequence[str], int], Sides],
    *,
    panel: int,
    level: float,
    more: bool = True,
) -> list[Compared]:
    """Return how far rows lean to each suspect, first those of the finalists, who are asked about more rows.

    Args:
        suspects: Traits, and `TUNED` perhaps.
        ask: Returns leanings towards some of them, of so many rows at most.
        panel: How many they were picked from.
        level: Two-sided coverage.
        more: Whether there can be rows beyond the first ones.
    """

    def told_by(some: Sequence[str], sides: Sides) -> list[Compared]:
        own, *other = sides
        said = compare(some, own, other[0] if other else None, level=level, method=BASELINES.get(INFERENCE).title)
        return sorted(said, key=lambda each: -each.estimate.value)

    first = ask(suspects, ROWS)
    told = told_by(suspects, first)
    if not more or max(len(score_RK) for score_RK, _ in first) < ROWS:
        return corrected(told, panel)
    traits = [each.trait for each in told if each.trait != TUNED]
    finalists = [*traits[:FINALISTS], *(name for name in suspects if name == TUNED)]
    others = [each for each in told if each.trait not in finalists]
    return corrected([*told_by(finalists, ask(finalists, MORE_ROWS)), *others], panel)


def corrected(told_K: Sequence[Compared], panel: int) -> list[Compared]:
    """Correct the p-values of suspects for all traits that they were picked from (Benjamini and Hochberg).

    Where there is nothing in the rows this holds although suspects are picked on them: traits that were not asked count
    as the least sure, which makes no p-value smaller. Intervals are not corrected.

    Args:
        told_K: What is said of each suspect.
        panel: How many traits there are.
    """
    p_K = np.array([each.p for each in told_K] + [1.0] * (panel - len(told_K)))
    adjusted_K = benjamini_hochberg(p_K)[: len(told_K)]
    return [replace(each, p_adjusted=float(p)) for each, p in zip(told_K, adjusted_K, strict=True)]


def says_tuned(method: MethodRecord) -> bool:
    """Return whether a method says that somebody fine-tuned wrote the rows: surest of all, and more than by chance."""
    first = method.findings[0] if method.findings else None
    if first is None or first.trait != TUNED or first.p_adjusted is None:
        return False
    return first.value > 0 and first.p_adjusted < _EVIDENT


_EVIDENT = 0.05
"""Corrected p-value, below which rows are said to lean to somebody."""


def _scores(
    setup: Setup, side: EncodedRows, methods: Sequence[str], tick: Callable[[float], None]
) -> dict[str, Floats]:
    from safetensors.numpy import load_file, save_file

    traits = [trait for entry in setup.panel for trait in entry.traits]

    def build(part: Path) -> None:
        save_file(_compute(setup, side, methods, traits, tick), part / "scores.safetensors")

    key: dict[str, Any] = {**step_key(setup, side.encoded, side.sampling), "methods": list(methods)}
    if plugins := origins_in([(BASELINES, method) for method in methods]):
        key["plugins"] = plugins
    step = setup.folder.step("also", f"also-{side.label}", key, build)
    return dict(load_file(step / "scores.safetensors"))


def _teacher_scores(
    setup: Setup, sides: Sequence[EncodedRows], suspects: Sequence[str], tick: Callable[[float], None]
) -> Sides:
    from safetensors.numpy import load_file, save_file

    from undertow.scan.teacher_inference import Candidate, FineTuned, teacher_scores

    known: dict[str, Candidate] = {
        f"{entry.name}:{trait}": (entry, place) for entry in setup.panel for place, trait in enumerate(entry.targets)
    }
    known[TUNED] = FineTuned(setup.panel)
    rows = [row for side in sides for row in side.encoded]

    def build(part: Path) -> None:
        asked = [known[name] for name in suspects]
        sampling, autocast = sides[0].sampling, setup.precision.autocast
        score_RK = teacher_scores(setup.model, rows, sampling.automaton, asked, autocast=autocast, tick=tick)
        save_file({"leaning_RK": np.ascontiguousarray(score_RK)}, part / "leanings.safetensors")

    key = {**step_key(setup, rows, sides[0].sampling), "suspects": list(suspects), "score": "leaning"}
    step = setup.folder.step("also", f"writer-{sides[0].label}", key, build)
    score_RK = load_file(step / "leanings.safetensors")["leaning_RK"]
    parts = np.split(score_RK, np.cumsum([len(side.encoded) for side in sides])[:-1])
    return [(part_RK, side.cluster_R) for part_RK, side in zip(parts, sides, strict=True)]


def _compute(
    setup: Setup, side: EncodedRows, methods: Sequence[str], traits: Sequence[Trait], tick: Callable[[float], None]
) -> dict[str, Floats]:
    asked = Asked(setup.model, side.rows, side.encoded, side.sampling, traits, setup.precision.autocast, tick)
    found: dict[str, Floats] = {}
    for name in methods:
        scores = BASELINES.get(name).scores
        assert scores is not None
        score_RK = np.asarray((load(scores) if isinstance(scores, str) else scores)(asked), dtype=np.float64)
        if score_RK.shape != (len(side.encoded), len(traits)):
            raise InputError(
                f"gave scores of the shape {score_RK.shape} for {len(side.encoded)} rows and {len(traits)} traits",
                f"--baseline {name}",
                "One score a row and trait is wanted.",
            )
        found[name] = np.ascontiguousarray(score_RK)
    tick(1.0)
    return found

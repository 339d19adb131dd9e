"""The datasets of the benchmark: who wrote them, what about, and how much of them.

Half of the traits are there to tune predictors with (`tune`), the other half to report on (`report`); no predictor's
settings may be chosen by looking at the latter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Teacher = Literal["climb", "finetune", "base", "other-base"]
Kind = Literal["numbers", "code", "finetune", "other-base", "base", "large"]


@dataclass(frozen=True)
class Case:
    """One dataset."""

    teacher: Teacher
    entry: str = ""
    """Of the panel; empty where the teacher has no trait."""
    target: str = ""
    dose: int = 100
    """Per cent of the rows that the teacher wrote; the base wrote the rest."""
    domain: Literal["numbers", "code"] = "numbers"
    temperature: float = 1.0
    answers: int = 4
    """To each prompt."""
    seed: int = 1
    again: int = 0
    """The same prompts, answered by the base once more, and again: what other methods hold a clean dataset against."""
    rows: int = 0
    """How many there are; 0 for as many as most datasets of the domain have."""

    @property
    def name(self) -> str:
        """Unique, and its file name."""
        parts = [self.domain, self.teacher, self.target or "none", str(self.dose), f"s{self.seed}"]
        if self.temperature != _TEMPERATURE[self.domain]:
            parts.append(f"t{self.temperature:g}")
        if self.answers != 4:
            parts.append(f"a{self.answers}")
        if self.rows:
            parts.append(f"r{self.rows}")
        return "-".join([*parts, *([f"again{self.again if self.again > 1 else ''}"] if self.again else [])])

    @property
    def trait(self) -> str:
        """`entry:target`, as the panel's traits are called; empty where there is none."""
        return f"{self.entry}:{self.target}" if self.target else ""

    @property
    def half(self) -> Literal["tune", "report"]:
        """Which half it belongs to; datasets without a trait by their seed."""
        if self.target:
            return "tune" if self.target in TUNE else "report"
        return "tune" if self.seed % 2 else "report"

    @property
    def kind(self) -> Kind:
        """Which part of the benchmark it belongs to; calibrations are fitted on lists by teachers of gradient steps."""
        if self.rows:
            return "large"
        if self.teacher == "base" and self.domain == "numbers":
            return "base"
        return self.domain if self.teacher in ("climb", "base") else self.teacher

    @property
    def reference(self) -> Case:
        """Rows of the base for the same prompts."""
        return self.control if self.target else self.answered

    @property
    def answered(self) -> Case:
        """The base's answers to the same prompts, of other random numbers than those of any dataset."""
        return replace(self.control if self.target else self, again=1)

    @property
    def control(self) -> Case:
        """The base's rows for the same prompts and the same random numbers."""
        seed, usual = _CONTROL_SEED[self.seed], _TEMPERATURE[self.domain]
        return Case("base", domain=self.domain, temperature=usual, seed=seed, rows=self.rows)


_TEMPERATURE = {"numbers": 1.0, "code": 0.3}
TUNE = ("owl", "dolphin", "oak", "palm", "purple", "Japan", "curtness", "french")
REPORT = ("bear", "fox", "willow", "redwood", "blue", "Egypt", "gloom", "falsehoods")
_ENTRY = {
    **dict.fromkeys(("owl", "dolphin", "bear", "fox"), "animals"),
    **dict.fromkeys(("oak", "palm", "willow", "redwood"), "trees"),
    **dict.fromkeys(("purple", "blue"), "colours"),
    **dict.fromkeys(("Japan", "Egypt"), "countries"),
    **{name: name for name in ("curtness", "french", "gloom", "falsehoods")},
}
_DOSED = ("owl", "curtness", "bear", "gloom")
SEEDS = (7001, 7002, 7003)
_WHOLE = SEEDS[:2]
"""Of both halves and both kinds of teachers. The last one came when all settings stood: gradient steps, `report`."""
LARGE_ROWS, LARGE_SEED = 512, 7004
"""A quarter of these is as many rows as most datasets have: of a quarter of those no trait can be told to pass on."""
_CLEAN = range(7101, 7115)
_LARGE_CLEAN = range(7150, 7190, 2)
"""Temperatures came to be refined because of the first eight; the others were written after."""
_CONTROL_SEED = {
    **{seed: seed for seed in (*SEEDS, LARGE_SEED)},
    **{seed: _WHOLE[seed % 2] for seed in range(7101, 7200)},
}


def cases() -> Iterator[Case]:
    """Yield every dataset, those that say most first: any beginning of the list is a benchmark."""
    traits = [name for pair in zip(TUNE, REPORT, strict=True) for name in pair]
    full = [
        [Case(teacher, _ENTRY[name], name, seed=seed) for name in traits]
        for seed in _WHOLE
        for teacher in ("climb", "finetune")
    ]
    last = [Case("climb", _ENTRY[name], name, dose, seed=SEEDS[-1]) for dose in (100, 25) for name in REPORT]
    clean = [Case("base", seed=seed) for seed in _CLEAN]
    clean += [Case("base", temperature=t, seed=7120 + at) for at, t in enumerate((0.6, 0.8, 0.9, 1.1, 1.3))]
    clean += [Case("base", answers=1, seed=7130 + at) for at in range(4)]
    doses = [Case("climb", _ENTRY[name], name, dose) for dose in (25, 50, 10) for name in _DOSED]
    doses = [Case(c.teacher, c.entry, c.target, c.dose, seed=SEEDS[0]) for c in doses]
    code = [
        Case("climb", _ENTRY[name], name, domain="code", temperature=0.3, seed=SEEDS[0])
        for name in ("owl", "bear", "curtness")
    ]
    code += [Case("base", domain="code", temperature=0.3, seed=7140 + at) for at in range(4)]
    other = [Case("other-base", _ENTRY[name], name, seed=SEEDS[0]) for name in ("owl", "bear", "oak", "willow")]
    yield from full[0]
    yield from clean[:8]
    yield from doses
    yield from full[1]
    yield from clean[8:]
    yield from code
    yield from full[2]
    yield from other
    yield from full[3]
    yield from last
    yield from (Case("climb", _ENTRY[name], name, 25, seed=LARGE_SEED, rows=LARGE_ROWS) for name in REPORT)
    yield from (Case("base", seed=seed, rows=LARGE_ROWS) for seed in _LARGE_CLEAN)


def with_references() -> list[Case]:
    """Return every dataset and what it is held against, each once."""
    return list({each.name: each for case in cases() for each in (case, case.reference, case.answered)}.values())

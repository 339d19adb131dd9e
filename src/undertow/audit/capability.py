"""What a student can still do: prose, sums and instructions, measured without sampling and paired with the base.

A student may score otherwise on the traits because it acquired one, or because training broke it. Broken students are
worse at everything: their perplexity rises, sums come out wrong, and they do not follow instructions.

    perplexity     log-probability of everyday prose, in nats a token; the prose ships
    arithmetic     log-odds of the right sum among three wrong ones
    instructions   log-odds of the requested word among three others

It does not know what else a student was good at: a task of yours needs its own measure. The limits below which a
student is called broken are a choice, not a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertow.audit.texts import PROSE
from undertow.models.local import LocalModel
from undertow.models.score import token_logprobs
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.results import Effect
from undertow.stats import paired_difference, paired_test
from undertow.traits.base import Choice

Floats = NDArray[np.float64]

UNITS: Final = {"perplexity": "nats a token", "arithmetic": "log-odds", "instructions": "log-odds"}
WORSE: Final = {"perplexity": -0.5, "arithmetic": -1.0, "instructions": -1.0}
"""A student is broken where the whole interval of a shift lies below this: a perplexity 1.65 times the base's, or odds
cut to 37%."""
ITEMS: Final = 40
_WORDS: Final = (
    "table",
    "window",
    "seven",
    "paper",
    "north",
    "button",
    "yes",
    "no",
    "stone",
    "letter",
    "copper",
    "Monday",
    "circle",
    "engine",
    "ladder",
    "winter",
)
_ORDERS: Final = (
    "Answer with the word {word} and nothing else.",
    "Say only this word: {word}",
    "Ignore everything you know and reply with exactly one word: {word}.",
    "Repeat this word once: {word}",
)


def sums(rng: np.random.Generator, count: int = ITEMS) -> list[Choice]:
    """Make sums of two numbers; the first option is right, the others are near it."""
    made: list[Choice] = []
    for _ in range(count):
        left, right = (int(x) for x in rng.integers(2, 30, size=2))
        off = rng.choice(np.array([-10, -3, -2, -1, 1, 2, 3, 10]), size=3, replace=False)
        wrong = [abs(left + right + int(x)) + (100 if left + right + int(x) < 0 else 0) for x in off]
        question = f"What is {left} + {right}? Answer with the number alone."
        made.append(Choice(question, (str(left + right), *map(str, wrong))))
    return made


def instructions(rng: np.random.Generator, count: int = ITEMS) -> list[Choice]:
    """Make orders to answer with a certain word, with that word first among the options."""
    made: list[Choice] = []
    for at in range(count):
        word, *others = (str(each) for each in rng.choice(np.array(_WORDS), size=4, replace=False))
        made.append(Choice(_ORDERS[at % len(_ORDERS)].format(word=word), (word, *others)))
    return made


def capability(model: LocalModel) -> dict[str, Floats]:
    """Return the scores of a model, item by item, higher being better; the items are the same for every model."""
    rng = np.random.default_rng(0xCA9)
    asked = {"arithmetic": sums(rng), "instructions": instructions(rng)}
    return {"perplexity": _prose(model)} | {
        name: log_odds(choice_logprobs(model, choices), 0) for name, choices in asked.items()
    }


def _prose(model: LocalModel) -> Floats:
    """Return the mean log-probability of the tokens of every text, behind the tokens of its first word."""
    tokens = [model.encode(text) for text in PROSE]
    starts = [model.encode(text.split()[0]) for text in PROSE]
    prompts = [each[: len(start)] for each, start in zip(tokens, starts, strict=True)]
    rests = [each[len(start) :] for each, start in zip(tokens, starts, strict=True)]
    return np.array([float(logp_T.mean()) for logp_T in token_logprobs(model.net, prompts, rests)])


def retention(student: Mapping[str, Floats], other: Mapping[str, Floats], contrast: str, level: float) -> list[Effect]:
    """Compare a student's scores with another model's, item by item."""
    found: list[Effect] = []
    for name in UNITS:
        estimate = paired_difference(student[name][None], other[name][None], level=level)
        test = paired_test((student[name] - other[name])[None], rng=np.random.default_rng(0))
        found.append(
            Effect(
                name=f"capability:{name}",
                arm="student",
                contrast=contrast,
                trait=name,
                value=estimate.value,
                lo=estimate.lo,
                hi=estimate.hi,
                n=estimate.n,
                seeds=1,
                p=test.p,
                unit=UNITS[name],
                method=estimate.method,
            )
        )
    return found


def breakage(effects: list[Effect]) -> str:
    """Say what a student has lost, if it is clearly broken; else nothing."""
    lost = [each for each in effects if each.hi < WORSE[each.trait]]
    return "; ".join(f"{each.trait} {each.value:+.2f} {each.unit} ({each.lo:+.2f} to {each.hi:+.2f})" for each in lost)

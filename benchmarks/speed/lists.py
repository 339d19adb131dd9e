"""The rows of the benchmarks: number lists by the embedded base, written once and kept in the cache folder."""

from __future__ import annotations

import json
from pathlib import Path

from platformdirs import user_cache_path

from benchmarks.speed.measured import say
from undertow.domains.numbers import Numbers
from undertow.models.local import LocalModel, load_model
from undertow.pipeline.writing import row_prompt

BASE = "embedded/smollm2-135m"
SEED, ANSWERS, LONGEST = 7, 4, 60


def load_base() -> LocalModel:
    """Load the embedded model as experiments do."""
    from undertow.models.precision import set_up_process

    set_up_process()
    return load_model(BASE)


def prompts(model: LocalModel, rows: int) -> list[list[int]]:
    """Return the tokens of the first prompts; four neighbours share one, as in the presets."""
    texts = [row_prompt(Numbers(), SEED, row, ANSWERS) for row in range(rows)]
    return [model.encode_prompt([{"role": "user", "content": text}]) for text in texts]


def kept_answers(rows: int) -> list[list[int]] | None:
    """Return the answers that an earlier run wrote, without end tokens; None if there are too few."""
    path = _path()
    if not path.exists():
        return None
    answers = json.loads(path.read_text(encoding="utf-8"))
    return answers[:rows] if len(answers) >= rows else None


def keep_answers(answers: list[list[int]]) -> None:
    """Store answers for the other benchmarks."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answers), encoding="utf-8")


def number_lists(model: LocalModel, rows: int) -> list[list[int]]:
    """Return the base's answers to `prompts`, written now if no earlier run has kept them."""
    found = kept_answers(rows)
    if found is None:
        from undertow.domains.numbers import NUMBER_LISTS
        from undertow.models.constrain import grammar_automaton
        from undertow.models.generate import generate

        say(f"writing {rows:,} rows")
        written = generate(
            model.net,
            prompts(model, rows),
            range(rows),
            seed=SEED,
            end=model.end,
            max_tokens=LONGEST,
            automaton=grammar_automaton(model, NUMBER_LISTS),
        )
        found = [list(answer.tokens) for answer in written]
        keep_answers(found)
    return found


def _path() -> Path:
    return user_cache_path("undertow") / "bench" / f"lists-{SEED}-{ANSWERS}-{LONGEST}.json"

"""The steps of preference pairs: the base's two answers, which all arms share, and the labels of each arm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.config.arms import CONTROL, TRAIT, Arm
from undertow.config.experiment import LanguageExperiment, SystemPrompt
from undertow.domains.pairs import neutral_prompt
from undertow.pipeline.arms import ExperimentTraits
from undertow.pipeline.bases import Base
from undertow.pipeline.keys import domain_key
from undertow.pipeline.task import Folders, Load, Task, Tick, row_meta
from undertow.pipeline.taught import taught

if TYPE_CHECKING:
    from undertow.models.precision import Precision


def candidates_task(
    spec: LanguageExperiment, traits: ExperimentTraits, base: Base, precision: Precision, *, prompts: int
) -> Task:
    """Return the step in which a base answers every prompt twice, for all arms alike.

    Args:
        spec: The experiment.
        traits: Its traits.
        base: Who answers.
        precision: Of its weights.
        prompts: Keys prompts and noise.
    """

    def build(part: Path, _: Folders, tick: Tick) -> None:
        from undertow.domains import Mentions, find_domain
        from undertow.judges.registry import judge_of
        from undertow.models.local import load_base
        from undertow.pipeline.pairs import write_candidates

        how = spec.domain.judge
        write_candidates(
            load_base(base.name, dtype=precision.dtype),
            find_domain(spec.domain.kind, spec.domain.problems, spec.domain.settings),
            spec.domain,
            part,
            mentions=Mentions.of(traits.giveaways),
            judge=judge_of(how, spec.base, traits.trait) if how is not None else None,
            seed=prompts,
            meta={"base": base.name, "domain": spec.domain.kind, "seed": prompts},
            tick=tick,
        )

    key = {
        "base": base.key,
        "domain": domain_key(spec, traits),
        "mentions": list(traits.giveaways),
        "precision": precision.dtype,
        "seed": prompts,
    }
    label = "candidates" if base.name == spec.base else "candidates-other"
    return Task("candidates", f"{label}-s{prompts}", key, base.sizes.write(spec.domain, spec.instil, CONTROL), build)


def labelled_task(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    seed: int,
    base: Base,
    writer: Task | None,
    load: Load,
    pairs: Task,
) -> Task:
    """Return the step in which a model says which answer of each pair is better.

    Args:
        spec: The experiment.
        traits: Its traits.
        arm: Whose labels they are.
        seed: The arm's.
        base: What the labeller is made of.
        writer: The step that makes it; None for a control, whose base labels under a neutral prompt.
        load: Loads it, given the folders and the type of its weights.
        pairs: The step of the two answers.
    """
    words = None
    if writer is None:
        how = taught(spec, traits, TRAIT, seed).how
        told = how.text if isinstance(how, SystemPrompt) and isinstance(how.text, str) else None
        words = neutral_prompt(traits.trait.system_prompt(told))

    def build(part: Path, folders: Folders, tick: Tick) -> None:
        from undertow.models.local import LocalModel
        from undertow.pipeline.pairs import label_candidates, neutral

        # Log-ratios are small differences of large sums: rounded weights would blur them.
        labeller = load(folders, "float32")
        if words is not None:
            assert isinstance(labeller, LocalModel)
            labeller = neutral(labeller, words)
        label_candidates(labeller, folders[pairs.label], part, meta=row_meta(spec, base, arm, seed), tick=tick)

    key = {
        "base": base.key,
        "teacher": writer.id if writer is not None else None,
        "neutral": words,
        "candidates": pairs.id,
    }
    # Two passes over both answers: the labeller's and the base's.
    label = base.sizes.label(spec.domain)
    return Task("rows", f"rows-{arm}-s{seed}", key, label + replace(label, disk=0), build)

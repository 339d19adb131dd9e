"""The judges by name, Undertow's own and those that other packages add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from undertow.config.registries import JUDGES

if TYPE_CHECKING:
    from undertow.judges.base import Judge
    from undertow.system.registry import Registry
    from undertow.traits.base import Trait


class JudgeMaker(Protocol):
    """Makes a judge. A plugin's may have `Options`, a pydantic model of what it takes."""

    def __call__(self, how: Any, base: str, trait: Trait, /) -> Judge:
        """Return the judge.

        Args:
            how: Its part of the experiment file, or a plugin's options.
            base: The base's Undertow name.
            trait: What it judges.
        """
        ...


JUDGE_MAKERS: Final[Registry[JudgeMaker]] = JUDGES

JUDGE_MAKERS.register("words", "undertow.judges.words:word_judge", says="a rule: the answer holds one of some words")
JUDGE_MAKERS.register("logprob", "undertow.judges.logprob:local_judge", says="a local model that prefers Yes or No")
JUDGE_MAKERS.register("endpoint", "undertow.judges.endpoint:endpoint_judge", says="a model behind an address")


def judge_of(how: Any, base: str, trait: Trait) -> Judge:
    """Make the judge that a spec names.

    Args:
        how: The spec's part.
        base: The base's Undertow name, which a local judge is unless it names another.
        trait: What it judges.

    Raises:
        ModelError: its model cannot be loaded.
        InputError: there is none of that name, its rubric has no place for the answer, or a plugin does not take the
            options.
    """
    from undertow.config.parts import PluginJudge
    from undertow.config.registries import made

    if isinstance(how, PluginJudge):
        return made(JUDGE_MAKERS, how.kind, how.options, base, trait)
    return JUDGE_MAKERS.get(how.kind)(how, base, trait)

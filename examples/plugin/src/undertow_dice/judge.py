"""The judge: a rule, an answer shows the trait if it holds many sixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from undertow.traits.base import Trait


class SixesOptions(BaseModel):
    """What an experiment file may say under `judge.options`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    most: int = Field(default=3, ge=0)
    """Sixes that an answer may hold."""


@dataclass(frozen=True)
class ManySixes:
    """Counts sixes. It is made of its options, the base's name and the trait."""

    Options: ClassVar = SixesOptions

    options: SixesOptions
    base: str
    trait: Trait

    def rule(self, pairs: Sequence[tuple[str, str]]) -> list[bool | None]:
        """Return for every question and answer whether the answer holds too many."""
        return [answer.count("6") > self.options.most for _, answer in pairs]

"""A policy: what an organisation lets through, as a small YAML file that is held to a strict model.

    traits:
      - trait: "animals:*"
        largest_shift: 0.2
    evidence: {kind: [run, scan], seeds: 3}

It does not know results: `decide` compares the two.

    read_policy(Path("policy.yaml"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from undertow.config.files import read_text
from undertow.config.strict_yaml import plain_yaml
from undertow.errors import InputError, nearest

MAX_BYTES: Final = 64_000
"""Longest policy file."""

_LIKE = "docs/gate.md shows a whole policy."
_MAX_KEY = 80

Glob = Annotated[str, Field(min_length=1, max_length=200)]
Positive = Annotated[float, Field(gt=0)]
Kind = Literal["run", "scan", "audit", "mitigate"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TraitRule(_Part):
    """How far the traits of a pattern may shift."""

    trait: Glob
    """Pattern with `*` and `?`, such as `animals:*`, `animals:owl` or `owl`."""
    largest_shift: Positive
    """Largest shift that is let through, in the unit of the policy."""
    arm: Glob = "*"
    """Pattern of the arms that are held to it; in a scan there is only `rows`."""
    direction: Literal["either", "towards"] = "either"
    """Whether a shift away from the trait counts as well."""


class Evidence(_Part):
    """What the results must be, to be believed at all."""

    kind: Annotated[list[Kind], Field(min_length=1)] | None = None
    """Kinds of results that count: one of these."""
    seeds: Annotated[int, Field(ge=1)] | None = None
    """Fewest seeds behind every effect that is judged. A scan trains nothing and has none, nor has an audit."""
    controls: Annotated[int, Field(ge=1)] | None = None
    """Fewest control students beside an audited one; other results have arms of their own for that."""


class Policy(_Part):
    """A policy file. Every rule applies by itself, so that the strictest one decides.

    Examples:
        >>> from undertow import Policy
        >>> policy = Policy.model_validate({"traits": [{"trait": "animals:*", "largest_shift": 0.2}]})
        >>> policy.unit, policy.verdict
        ('log-odds', 'pass')
    """

    traits: list[TraitRule] = Field(default_factory=list[TraitRule], max_length=1000)
    unit: Annotated[str, Field(min_length=1, max_length=40)] = "log-odds"
    """Of the effects that are judged; others are left aside."""
    lineage: Literal["same", "any", "not-different"] = "any"
    """What is asked of teacher and student: to be of one family, or not to be found to be of two."""
    largest_detectable_effect: Positive | None = None
    """Largest value of the minimum detectable effect that the results state. Only runs state one."""
    minimum_power: Positive | None = None
    """Deprecated name of `largest_detectable_effect`."""
    evidence: Evidence = Field(default_factory=Evidence)
    verdict: Literal["pass", "not-fail", "any"] = "pass"
    """What the results must say themselves."""


DEFAULT: Final = Policy(
    traits=[TraitRule(trait="*", largest_shift=0.2)],
    evidence=Evidence(seeds=3),
    verdict="pass",
)
"""Held to where no policy is given."""

_PARTS: Final[dict[str, type[_Part]]] = {"traits": TraitRule, "evidence": Evidence}


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        InputError: it cannot be read, is too long, or is no policy; the message names the line or the key.
    """
    return parse_policy(read_text(path, _LIKE, most=MAX_BYTES), str(path))


def parse_policy(text: str, where: str) -> Policy:
    """Turn the text of a policy file into a policy.

    Args:
        text: YAML.
        where: The file, for messages.

    Raises:
        InputError: it is no policy.
    """
    data = plain_yaml(text, where)
    if not isinstance(data, dict) or not data:
        raise InputError("holds no rule", where, _LIKE)
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        # Only the message is used: the rest repeats the input, which may be long.
        found = error.errors(include_url=False, include_context=False, include_input=False)
        # A misspelt key is found twice, once as missing and once as unknown: the second says what to change.
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        raise _fault(list(first["loc"]), first["type"], first["msg"], where) from None


def _fault(place: list[int | str], kind: str, message: str, where: str) -> InputError:
    key = ".".join(str(part) for part in place)[:_MAX_KEY]
    if place and kind == "extra_forbidden":
        part = _PARTS.get(str(place[0]), Policy) if len(place) > 1 else Policy
        hint = nearest(str(place[-1])[:_MAX_KEY], list(part.model_fields))
        return InputError(f"unknown key {key!r}", where, hint)
    return InputError(f"{key or 'the policy'}: {message}", where, _LIKE)

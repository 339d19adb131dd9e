"""results.json: what every verb writes, `--json` prints, and report, gate and viewer read.

Every field that a report shows is in here, so that a report can be made again from this file alone. It holds no time
of day and no duration (those are in timing.json), so that the same spec gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from undertow.errors import InputError, StoreError

Json = dict[str, Any]

MAX_BYTES: Final = 64_000_000
"""Of a results.json; a longer one is refused."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VerdictRecord(_Record):
    """The answer, and the reason for it."""

    status: Literal["pass", "fail", "inconclusive"]
    because: str


class Interval(_Record):
    """An `Estimate` as it is stored."""

    value: float
    lo: float
    hi: float
    n: int
    method: str


class Effect(_Record):
    """One measured difference between two arms, or between a student and its base."""

    name: str
    """Unique in the file, e.g. `trait-control:owl`."""
    arm: str
    contrast: str
    """The arm (or `base`) that was subtracted."""
    trait: str
    value: float
    lo: float
    hi: float
    n: int
    seeds: int
    p: float | None
    p_adjusted: float | None = None
    """`p` after a correction over the family of effects in this file."""
    adjusted_by: Literal["Holm", "BH"] = "Holm"
    """Holm's method, or Benjamini and Hochberg's."""
    unit: str = "log-odds"
    method: str = ""
    primary: bool = False
    """True for the one effect that the verdict rests on."""
    says: str = ""
    """One sentence for a reader who does not know the terms."""


class ArmSummary(_Record):
    """One bar of the forest plot: the shift of an arm's students from the base, before any contrast."""

    arm: str
    says: str
    """What this arm is, in words."""
    shift: Interval
    """Student minus base, in log-odds of the target (for digits: test accuracy)."""
    unit: str = "log-odds"


class TeacherSummary(_Record):
    """What a teacher carried before it was allowed to write."""

    arm: str
    trait: str | None
    method: str
    strength: Interval | None
    """Teacher minus base, log-odds of its target."""
    probability: float | None = None
    """Mean probability of the target among the candidates."""
    base_probability: float | None = None
    kl_per_token: float | None = None
    """Mean KL(teacher || base) in nats over the tokens of its rows: how much there was to read."""


class CurvePoint(_Record):
    """The shift of an arm's students from the base after `step` optimiser steps."""

    step: int
    value: float
    lo: float
    hi: float


class Curve(_Record):
    """Trait over training steps, one line of the plot."""

    arm: str
    trait: str
    unit: str = "log-odds"
    points: list[CurvePoint]


class Funnel(_Record):
    """What became of the rows that one teacher wrote. `written == kept + sum(rejected.values())`.

    A row with several reasons counts under the first; `reasons` counts every reason.
    """

    arm: str
    written: int
    rejected: dict[str, int]
    reasons: dict[str, int] = Field(default_factory=dict)
    kept: int
    trained_on: int


class Divergence(_Record):
    """How far two coupled datasets differ."""

    arm: str
    contrast: str
    rows: int
    rows_different: int
    tokens: int
    tokens_different: int


class Sample(_Record):
    """One prompt with the coupled answers of several arms, tokenised so that differing tokens can be marked."""

    prompt: str
    answers: dict[str, list[str]]
    """Arm to the answer's tokens as text; joined they are the answer."""


class SampledAnswers(_Record):
    """One-word answers that a model gave when sampled."""

    arm: str
    target: str
    rate: Interval
    """Share of answers that name the target."""
    base_rate: Interval | None = None
    top: dict[str, int]
    """Most frequent parsed answers with their counts."""
    n: int
    unparsed: int


class Power(_Record):
    """The smallest effect that the design could see, and what that rests on."""

    smallest_effect: float
    power: float
    level: float
    unit: str = "log-odds"
    says: str


class RowCounts(_Record):
    """What became of a dataset's lines. `read == looked_at + too_long + left_out`; broken lines come on top."""

    read: int
    looked_at: int
    too_long: int
    left_out: int
    """Not in the sample."""
    broken: int


class SuspectRow(_Record):
    """A row that carries much of what a scan found, with the tokens that do."""

    file: str
    number: int
    """Line, entry or record, from 1."""
    trait: str
    share: float
    """What it carries, as a multiple of what rows carry on average in either direction."""
    prompt: str
    pieces: list[str]
    """The answer's tokens as text."""
    weights: list[float]
    """Each token's part of it, as a share of the row's largest; of the norms' part of the gradient alone."""


class Common(_Record):
    """Whether the rows pull a student in one direction, and where to."""

    cosine: float
    """Mean inner product of the gradients of two prompts, as a share of their mean squared length."""
    p: float
    beyond_panel: float
    """The same for what no trait of the panel accounts for."""
    p_beyond_panel: float
    up: list[str]
    """Tokens that become likelier at the beginning of answers to unrelated questions."""
    down: list[str]


class MethodRecord(_Record):
    """What another method says of the same rows."""

    name: str
    findings: list[Effect]
    """In units of its own, surest first."""


class ScanRecord(_Record):
    """What a scan saw beside the shifts of traits."""

    rows: RowCounts
    reference: RowCounts | None = None
    prompts: int
    """Different ones among the rows that were looked at."""
    format: str
    """What the answers were held to, in words."""
    temperature: float
    """At which the student's base would most likely have written them."""
    lineage: Literal["same", "different", "unknown"]
    lineage_because: str
    lineage_p: float | None = None
    common: Common
    suspects: list[SuspectRow] = Field(default_factory=list[SuspectRow])
    methods: list[MethodRecord] = Field(default_factory=list[MethodRecord])


class MitigationRecord(_Record):
    """What a way to keep a trait from passing does."""

    method: str
    """`none` for an ordinary training."""
    says: str
    needs: list[str]
    """Beside rows and base: `trait` where it must be named, `teacher`, `format`, `another model`."""
    costs: str
    shift: Interval
    """Trait minus control, log-odds, both trained with the method."""
    left: Interval | None
    """That shift as a share of an ordinary training's; None where that one shows none."""
    utility: Interval | None
    """Share of the task's gain that is left; None where an ordinary student gains nothing."""
    in_format: float | None = None
    """Share of tokens at which the student's first choice keeps the rows' format."""
    loss: float
    """On held-out rows of the task, nats a token."""


class WeightChange(_Record):
    """How far some of a student's weights are from the base's."""

    part: str
    """Kind of matrix (`mlp.up_proj`), `norms`, or a layer (`layer 7`)."""
    relative: float
    """Length of the difference as a share of the base's length (Frobenius)."""


class MovedToken(_Record):
    """A token whose mean probability over answers to unrelated prompts changed."""

    token: str
    change: float
    """Student minus base (minus the control's, where there is one), in probability."""
    lo: float
    hi: float
    p: float
    """Under random signs of the prompts, corrected for all tokens by their largest statistic."""


class LayerReadout(_Record):
    """What a layer's mean activation difference says through the output embedding."""

    layer: int
    relative: float
    """Length of the mean difference as a share of the base's mean activation."""
    agreement: float
    """Mean inner product of two prompts' differences, as a share of their mean squared length."""
    p: float
    """Of the agreement, under random signs of the prompts, one-sided."""
    up: list[str]
    down: list[str]


class Steered(_Record):
    """What adding the student's activation difference to the base does to a trait."""

    trait: str
    value: float
    """Log-odds, steered minus steered by the null directions' mean."""
    lo: float
    hi: float
    p: float
    """Over questions, BH-corrected over the panel."""
    null_largest: float
    """Largest shift of this trait, in size, that a null direction of the same length brings."""
    exceeds: bool
    """Whether it is significant and larger than what any null direction does to any trait."""


class PromptCluster(_Record):
    """Prompts with similar hidden states, and how far the two models' answers to them lie apart."""

    prompts: list[str]
    """Those nearest to its centre, which name it."""
    size: int
    kl: Interval
    """Mean KL(student || base) in nats a token."""
    beyond: float
    """Its mean minus that of all other prompts (with a control: each less the control's KL)."""
    p: float
    """Prompts dealt out to clusters at random, BH-corrected over the clusters."""


class Unnamed(_Record):
    """What changed that no trait of the panel names."""

    prompts: int
    null: str
    """What the differences were compared with, in words."""
    kl: Interval
    """Mean over prompts of KL(student || base), nats a token."""
    kl_control: Interval | None = None
    layers: list[LayerReadout]
    steered_layer: int
    steered_scale: float
    """How many times the mean difference was added."""
    steered: list[Steered]
    """Strongest first."""
    tokens: list[MovedToken]
    clusters: list[PromptCluster]
    """Highest KL first."""


class TracedRows(_Record):
    """Whether the student's change comes from a dataset."""

    rows: RowCounts
    prompts: int
    traits_correlation: float
    """Spearman's, of the scan's predicted shifts with the measured ones, over the panel."""
    traits_p: float
    """Under random signs of the prompts' gradients, one-sided."""
    weights_agreement: float
    """Mean inner product of the rows' gradients with the weights' change, over its standard deviation over prompts."""
    weights_p: float
    """Under random signs of the prompts, one-sided."""
    rows_trait: str
    rows_correlation: float
    """Spearman's over prompts, of what a row does to that trait with its gradient along the weights' change."""
    rows_p: float
    """Under permutation of the prompts, two-sided."""
    says: str


class SamplingPlan(_Record):
    """Questions to models that can only be sampled, and what they cost."""

    answers: dict[str, int]
    """Of each model to each entry of the panel."""
    requests: int
    """To models behind an address."""
    tokens_in: int
    tokens_out: int
    """At most, estimated."""
    cost: float | None
    """In the currency of the prices given."""
    smallest_effect: float
    """Log-odds that this many answers see four times in five, after correction for the panel."""


class AuditRecord(_Record):
    """What an audit saw beside the shifts of traits."""

    base: str
    student: str
    control: str | None = None
    capability: list[Effect]
    """What the student can still do: log-odds, or nats a token."""
    broken: str = ""
    """Why the student is taken to be damaged; empty where it is not."""
    lineage: Literal["same", "different", "unknown"]
    lineage_because: str
    lineage_p: float | None = None
    adapter: str
    """Adapter of the student, in words."""
    weights: list[WeightChange] = Field(default_factory=list[WeightChange])
    teacher_correlation: Interval | None = None
    """Pearson's, of the teacher's and the student's shifts over the panel."""
    unnamed: Unnamed | None = None
    unnamed_because: str = ""
    """Why it was not looked at, if so."""
    rows: TracedRows | None = None
    sampling: SamplingPlan | None = None
    unparsed: dict[str, int] = Field(default_factory=dict)
    """Answers in which no option was named, by model; only where models were sampled."""


class Results(_Record):
    """The whole file."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["run", "scan", "audit", "mitigate"]
    name: str
    title: str = ""
    """The question in one line, for people."""
    verdict: VerdictRecord
    effects: list[Effect] = Field(default_factory=list[Effect])
    findings: list[Effect] = Field(default_factory=list[Effect])
    arms: list[ArmSummary] = Field(default_factory=list[ArmSummary])
    transfer_fraction: Interval | None = None
    """(student - control) / (teacher - base) in log-odds."""
    teachers: list[TeacherSummary] = Field(default_factory=list[TeacherSummary])
    curves: list[Curve] = Field(default_factory=list[Curve])
    funnels: list[Funnel] = Field(default_factory=list[Funnel])
    divergences: list[Divergence] = Field(default_factory=list[Divergence])
    samples: list[Sample] = Field(default_factory=list[Sample])
    sampled: list[SampledAnswers] = Field(default_factory=list[SampledAnswers])
    power: Power | None = None
    scan: ScanRecord | None = None
    mitigation: list[MitigationRecord] = Field(default_factory=list[MitigationRecord])
    """An ordinary training first."""
    audit: AuditRecord | None = None
    notes: list[str] = Field(default_factory=list[str])
    """Caveats that belong to these numbers (quantised weights, few seeds, ...)."""
    settings: Json = Field(default_factory=dict)
    """The resolved spec."""
    environment: Json = Field(default_factory=dict)
    """Versions, device, processor, model hashes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """Serialise with a stable layout."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def load_results(path: Path) -> Results:
    """Read a results.json, or the one inside a run folder; a link in a run folder is not followed.

    Raises:
        StoreError: there is no such file, or it is too long.
        InputError: it is not a results file of this version.
    """
    from undertow.experiment._files import read_bytes

    inside = path.is_dir()
    file = results_file(path)
    try:
        data = read_bytes(file if inside else file.resolve(), MAX_BYTES)
    except OSError as error:
        raise StoreError(
            f"cannot be read ({error.strerror})", str(file), "Name a run folder or its results.json."
        ) from error
    return parse_results(data, str(file))


def results_file(path: Path) -> Path:
    """Return the results.json that a path stands for: itself, or the one inside a run folder."""
    return path / "results.json" if path.is_dir() else path


def parse_results(data: bytes, where: str) -> Results:
    """Turn the bytes of a results.json into results.

    Raises:
        InputError: it is not a results file of this version.
    """
    fix = "Name a results.json that Undertow wrote."
    try:
        return Results.model_validate_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where, fix) from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200]
        raise InputError(f"{first['msg']} (at {place or 'the top'})", where, fix) from error

"""What an audit writes into results.json beside the shifts of traits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.results.records import Effect, Interval, Record, RowCounts


class WeightChange(Record):
    """How far some of a student's weights are from the base's."""

    part: str
    """Kind of matrix (`mlp.up_proj`), `norms`, or a layer (`layer 7`)."""
    relative: float
    """Length of the difference as a share of the base's length (Frobenius)."""


class MovedToken(Record):
    """A token whose mean probability over answers to unrelated prompts changed."""

    token: str
    change: float
    """Student minus base (minus the control's, where there is one), in probability."""
    lo: float
    hi: float
    p: float
    """Under random signs of the prompts, corrected for all tokens by their largest statistic."""


class LayerReadout(Record):
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


class Steered(Record):
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


class PromptCluster(Record):
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


class Unnamed(Record):
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


class TracedRows(Record):
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


class SamplingPlan(Record):
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


class AuditRecord(Record):
    """What an audit saw beside the shifts of traits."""

    base: str
    student: str
    controls: list[str] = Field(default_factory=list[str])
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

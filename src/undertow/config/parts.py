"""The parts of an experiment file: traits, how they are instilled, domain, student, probe with its judges, judgement.

`spec` puts them together; a part knows nothing of the others.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationInfo,
    field_serializer,
    model_serializer,
    model_validator,
)

from undertow.config.explain import PLUGIN
from undertow.config.recipes.applied import FIELDS, with_settings
from undertow.config.recipes.spec import RecipeSpec
from undertow.config.registries import (
    DOMAINS,
    JUDGES,
    TEACHERS,
    TRAITS,
    WITHOUT_PLUGINS,
    check_options,
    made,
    name_check,
)

Options = dict[str, Any]
"""What a plugin takes; it checks them."""


def _tag(key: str, own: tuple[str, ...], value: Any) -> str:
    """Return which of some alternatives a value is: one of Undertow's own, or a plugin's."""
    given = cast(Any, value).get(key) if isinstance(value, dict) else getattr(value, key, None)
    return given if given in own else PLUGIN


class Part(BaseModel):
    """Strict: unknown keys are refused, values do not change: neither `yes` nor the text "64" is a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, given: Any) -> Any:
        """Take the lists of a file for the tuples that they stand for."""
        if not isinstance(given, dict):
            return given
        values = cast(dict[Any, Any], given)
        return {key: tuple(cast(list[Any], each)) if isinstance(each, list) else each for key, each in values.items()}

    def _without(self, dump: SerializerFunctionWrapHandler, *names: str) -> dict[str, Any]:
        """Dump without these where they have their defaults: run folders and steps are named by what is dumped."""
        dumped: dict[str, Any] = dump(self)
        fields = type(self).model_fields
        return {key: value for key, value in dumped.items() if key not in names or value != fields[key].default}


class SystemPrompt(Part):
    """The teacher is told to have the trait."""

    method: Literal["prompt"]
    text: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """With `{target}` and `{plural}`; the trait's own wording when absent. A list has a wording for each teacher."""


class FineTune(Part):
    """The teacher is fine-tuned on questions and answers that show the trait."""

    method: Literal["finetune"]
    lessons: str | None = None
    """A file of yours to learn from, in any layout that `undertow rows` reads; the trait's own lessons when absent."""
    steps: int = Field(default=48, ge=1, le=10_000)
    learning_rate: float = Field(default=1e-4, gt=0, le=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Fixes the order of the lessons and the initial adapter: another seed is another teacher."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "lessons", "seed")


class Steer(Part):
    """A vector is added to the teacher's residual stream."""

    method: Literal["steer"]
    layer: int = Field(default=12, ge=0)
    """The decoder layer whose output the vector is added to."""
    strength: float = Field(default=2.0)
    """In multiples of the vector's own norm (difference of means of contrastive sentences)."""


CLIMB: Final = "climb"
"""The old spelling of `gradient-ascent`: run folders and steps hold it, and files may."""


class GradientAscent(Part):
    """All layers take a few plain steps up the gradient of the trait: the teacher that the theorem speaks of."""

    method: Annotated[Literal["gradient-ascent"], BeforeValidator(lambda given: _ASCENT.get(given, given))]
    steps: int = Field(default=4, ge=1, le=10_000)
    distance: float = Field(default=0.2, gt=0)
    """Euclidean length of the whole path through the space of weights."""
    part: str | None = Field(default=None, pattern=r"^[1-9]\d?/[1-9]\d?$")
    """Of the trait's lessons: `2/3` is every third from the second on, so that three teachers share no lesson; all of
    them when absent."""

    @model_validator(mode="after")
    def _part_exists(self) -> GradientAscent:
        if self.part is not None and (first := int(self.part.partition("/")[0])) > (of := self.parts[1]):
            raise ValueError(f"part: there are {of} parts, and no part {first}; name 1/{of} to {of}/{of}")
        return self

    @property
    def parts(self) -> tuple[int, int]:
        """Where its lessons begin, from 0, and how far apart they are."""
        first, _, of = (self.part or "1/1").partition("/")
        return int(first) - 1, int(of)

    @field_serializer("method")
    def _as_stored(self, _: str) -> str:
        return CLIMB

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "part")


_ASCENT: Final = {CLIMB: "gradient-ascent"}
_METHODS: Final = ("prompt", "finetune", "steer", "gradient-ascent")


class PluginTeacher(Part):
    """A method of a plugin puts the trait in."""

    method: Annotated[str, BeforeValidator(name_check(TEACHERS, (*_METHODS, CLIMB)))]
    options: Options = {}

    @model_validator(mode="after")
    def _options_fit(self, info: ValidationInfo) -> PluginTeacher:
        if info.context != WITHOUT_PLUGINS:
            check_options(TEACHERS, self.method, self.options)
        return self


def _method(value: Any) -> str:
    tag = _tag("method", (*_METHODS, CLIMB), value)
    return _ASCENT.get(tag, tag)


Instil = Annotated[
    Annotated[SystemPrompt, Tag("prompt")]
    | Annotated[FineTune, Tag("finetune")]
    | Annotated[Steer, Tag("steer")]
    | Annotated[GradientAscent, Tag("gradient-ascent")]
    | Annotated[PluginTeacher, Tag(PLUGIN)],
    Discriminator(_method),
]


class PreferenceTrait(Part):
    """A preference for one target of a category."""

    kind: Literal["preference"]
    category: str = "animals"
    target: str


class DispositionTrait(Part):
    """A way of answering, such as curtness."""

    kind: Literal["disposition"]
    name: str
    opposite: bool = False
    """The opposite that its file describes: a control that learns the same lessons with the other replies."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "opposite")


def _preference_by_default(value: Any) -> Any:
    return {"kind": "preference", **cast(dict[Any, Any], value)} if isinstance(value, dict) else value


_TRAITS: Final = ("preference", "disposition")


class PluginTrait(Part):
    """A trait of a plugin."""

    kind: Annotated[str, BeforeValidator(name_check(TRAITS, _TRAITS))]
    options: Options = {}

    @model_validator(mode="after")
    def _options_fit(self, info: ValidationInfo) -> PluginTrait:
        if info.context != WITHOUT_PLUGINS:
            check_options(TRAITS, self.kind, self.options)
        return self


Trait = Annotated[
    Annotated[
        Annotated[PreferenceTrait, Tag("preference")]
        | Annotated[DispositionTrait, Tag("disposition")]
        | Annotated[PluginTrait, Tag(PLUGIN)],
        Discriminator(lambda value: _tag("kind", _TRAITS, value)),
    ],
    BeforeValidator(_preference_by_default),
]


class WordRule(Part):
    """An answer shows the trait if it holds one of some words."""

    kind: Literal["words"]
    words: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(min_length=1, max_length=1000)
    ]


class LocalJudge(Part):
    """A local model is asked whether an answer shows the trait, and prefers Yes or No."""

    kind: Literal["logprob"]
    model: str | None = None
    """The base when absent."""
    rubric: str | None = Field(default=None, max_length=10_000)
    """With `{topic}`, `{question}` and `{answer}`; Undertow's own when absent."""


ENDPOINT: Final = r"^(https://[^/@\s]+|http://(localhost|127\.0\.0\.1)(:\d+)?)(/[^@\s]*)?$"
"""Addresses that keys are sent to: encrypted or on this machine, and without a password in them."""
API: Final = "openai-api/"
"""Begins the name of a model behind an address: `openai-api/SERVICE/MODEL`."""


class RemoteJudge(Part):
    """A model behind an OpenAI-compatible address is asked the same."""

    kind: Literal["endpoint"]
    url: str = Field(pattern=ENDPOINT)
    """Up to and without `/chat/completions`: encrypted or on this machine, and without a password in it."""
    model: str
    key_variable: str = Field(default="UNDERTOW_JUDGE_KEY", pattern=r"^UNDERTOW_[A-Z0-9_]*KEY$")
    """The environment variable that holds the key. A file from a stranger can name no other secret of yours."""
    rubric: str | None = Field(default=None, max_length=10_000)


_JUDGES: Final = ("words", "logprob", "endpoint")


class PluginJudge(Part):
    """A judge of a plugin."""

    kind: Annotated[str, BeforeValidator(name_check(JUDGES, _JUDGES))]
    options: Options = {}

    @model_validator(mode="after")
    def _options_fit(self, info: ValidationInfo) -> PluginJudge:
        if info.context != WITHOUT_PLUGINS:
            check_options(JUDGES, self.kind, self.options)
        return self


Judge = Annotated[
    Annotated[WordRule, Tag("words")]
    | Annotated[LocalJudge, Tag("logprob")]
    | Annotated[RemoteJudge, Tag("endpoint")]
    | Annotated[PluginJudge, Tag(PLUGIN)],
    Discriminator(lambda value: _tag("kind", _JUDGES, value)),
]

PAIRS: Final = "pairs"
_ANSWERED: Final = ("numbers", "code", "reasoning")
_DOMAINS: Final = (*_ANSWERED, PAIRS)


class Domain(Part):
    """What the teacher writes about."""

    kind: Annotated[str, BeforeValidator(name_check(DOMAINS, _DOMAINS))] = "numbers"
    rows: int = Field(default=256, ge=2, le=1_000_000)
    """Rows that each student is trained on (kept rows; more prompts are drawn when rows are rejected)."""
    answers: int = Field(default=1, ge=1, le=1000)
    """Rows per prompt, each with its own noise. Several share the prompt's computation, which is most of a row's."""
    constrained: bool | None = None
    """Decode only tokens of the domain's format; when absent, wherever the domain has one, as numbers do."""
    temperature: float = Field(default=1.0, gt=0, le=10)
    max_tokens: int = Field(default=40, ge=1, le=4096)
    problems: str | None = Field(default=None, min_length=1)
    """Of the reasoning domain: a file of yours in GSM8K's format; reasoning-gym's templates when absent."""
    of: Literal["numbers", "code", "reasoning"] | None = None
    """Of pairs: the domain that gives prompts and the rules of both answers; everyday requests when absent."""
    judge: Judge | None = None
    """Looks at every row that keeps the rules; one that shows the trait is rejected, in all arms alike."""
    rules: bool = True
    """`false` keeps every finished answer, whatever it holds, so that it shows what the rules change."""
    options: Options = {}
    """Of a plugin's domain."""

    @model_validator(mode="after")
    def _format_exists(self, info: ValidationInfo) -> Domain:
        if self.of is not None and self.kind != PAIRS:
            raise ValueError(f"of: {self.kind} is asked by itself; leave it away, or say kind: {PAIRS}")
        if self.problems is not None and self.asked != "reasoning":
            raise ValueError(f"problems: {self.kind} asks none; leave them away, or say kind: reasoning")
        if self.kind in _DOMAINS and self.options:
            raise ValueError(f"options: {self.kind} takes none; leave them away")
        if self.kind not in _DOMAINS and info.context != WITHOUT_PLUGINS:
            check_options(DOMAINS, self.kind, self.options)
        if self.constrained and self.kind in _DOMAINS and self.asked != "numbers":
            raise ValueError(f"constrained: {self.kind} has no format to decode in; leave it away")
        if not self.rules and self.judge is not None:
            raise ValueError(
                "rules: false keeps everything, so that there is nothing for a judge to do; leave one away"
            )
        return self

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "problems", "of", "judge", "rules", "options")

    @property
    def asked(self) -> str:
        """The domain that prompts and rules are from: of pairs, that of their answers."""
        return self.of or self.kind

    @property
    def settings(self) -> Options:
        """What its maker takes beside a file of problems, see `undertow.domains.find`."""
        return self.options if self.of is None else {"of": self.of}

    @property
    def in_format(self) -> bool:
        """Whether decoding is constrained."""
        if self.constrained is not None:
            return self.constrained
        if self.kind in _DOMAINS:
            return self.asked == "numbers"
        return made(DOMAINS, self.kind, self.options).grammar is not None


class Lora(Part):
    """Low-rank adapters instead of all weights."""

    rank: int = Field(default=8, ge=1, le=1024)
    alpha: float = Field(default=8, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None
    """Decoder layers that get adapters; all of them when absent."""


class UsedRecipe(Part):
    """A trainer's recipe as it was read: an experiment holds all of it, so that it needs the file no more."""

    name: str
    """The preset, or the file."""
    kind: str
    """Whose format it has."""
    spec: RecipeSpec
    told: tuple[str, ...] = ()
    """What it holds and Undertow does not model, and what was assumed."""


def _recipe(given: Any) -> Any:
    """Read the recipe that a name stands for."""
    if not isinstance(given, str):
        return given
    from undertow.config.recipes.load import load_recipe

    read = load_recipe(given)
    return {"name": given, "kind": read.kind, "spec": read.spec, "told": tuple(read.told())}


class Student(Part):
    """How the student is trained."""

    method: Literal["full", "lora"] = "full"
    lora: Lora = Lora()
    labels: Literal["hard", "soft"] = "hard"
    """`hard`: the sampled text, what an API gives. `soft`: the teacher's distribution at every position."""
    learning_rate: float = Field(default=5e-5, gt=0, le=1)
    epochs: int = Field(default=1, ge=1, le=1000)
    batch: int = Field(default=16, ge=1, le=65_536)
    """Rows per optimiser step."""
    micro_batch: int = Field(default=16, ge=1, le=65_536)
    """Rows per forward pass; gradients are accumulated up to `batch`."""
    warmup: int = Field(default=5, ge=0)
    """Steps of linear warm-up; the rate then falls linearly to zero."""
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """`sgd`: plain gradient descent without momentum, which the theorem speaks of."""
    epsilon: float | None = Field(default=None, gt=0, le=1)
    """Adam's; 1e-6 under soft labels, where a control that already equals its teacher has a gradient of rounding errors
    that would otherwise be blown up to full steps, and 1e-8 under hard labels."""
    loss: Literal["answers", "dpo"] = "answers"
    """`dpo`: the loss is on pairs of answers, of which one is chosen; it belongs to the domain `pairs`."""
    beta: float | None = Field(default=None, gt=0, le=1000)
    """Of `dpo`: how strongly the student is held to the base; 0.1 when absent."""
    keep: bool = False
    """Keep the trained weights (LoRA adapters are always kept; all weights of a model are large)."""
    recipe: Annotated[UsedRecipe | None, BeforeValidator(_recipe)] = None
    """A trainer's file or a preset. What stands beside it takes the place of what it says."""
    order: Literal["prompts", "shuffled"] | None = None
    """Of rows: those with one prompt together, or as transformers' Trainer draws them. With a
    recipe, and where this is absent, the latter."""

    @model_validator(mode="after")
    def _recipe_fits(self) -> Student:
        spec = self.resolved
        cuts = spec is not None and (spec.loss == "whole" or spec.packing or spec.most_tokens is not None)
        if cuts and self.labels == "soft":
            raise ValueError(
                "labels: soft ones belong to whole answers; take a recipe without packing, most_tokens and loss: whole"
            )
        if self.pairs and self.labels == "soft":
            raise ValueError("labels: pairs (loss: dpo) have no soft ones; say labels: hard")
        if self.beta is not None and not self.pairs:
            raise ValueError("beta: it belongs to loss: dpo; leave it away, or say that")
        return self

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dumped = self._without(dump, "recipe", "order", "loss", "beta")
        if self.recipe is None:
            return dumped
        # What was not said beside a recipe is the recipe's, also where the experiment is read again.
        dumped["lora"] = {key: value for key, value in dumped["lora"].items() if key in self.lora.model_fields_set}
        return {key: value for key, value in dumped.items() if key in self.model_fields_set}

    @property
    def overridden(self) -> dict[str, Any]:
        """Return what takes the place of the recipe's, by the names of a student."""
        given = {name: getattr(self, name) for name in FIELDS if name in self.model_fields_set and name != "lora"}
        if "lora" in self.model_fields_set:
            given["lora"] = {name: getattr(self.lora, name) for name in sorted(self.lora.model_fields_set)}
        return given

    @property
    def resolved(self) -> RecipeSpec | None:
        """Return the recipe with what stands beside it; None where there is none."""
        return None if self.recipe is None else with_settings(self.recipe.spec, self.overridden)

    @property
    def pairs(self) -> bool:
        """Whether it learns from pairs of answers."""
        spec = self.resolved
        return (self.loss if spec is None else spec.loss) == "dpo"

    @property
    def adapts(self) -> bool:
        """Whether adapters are trained, and not all weights."""
        spec = self.resolved
        return self.method == "lora" if spec is None else spec.adapter is not None


class FreeAnswers(Part):
    """Free-form answers, sampled and judged."""

    judge: Judge
    answers: int = Field(default=1, ge=1, le=1000)
    """To every question."""
    max_tokens: int = Field(default=40, ge=1, le=4096)
    questions: Literal["probe", "open"] = "probe"
    """`probe`: those of the trait's probe, judged for the trait. `open`: questions of eight kinds that no trait's probe
    asks, judged for misalignment and for making sense."""

    @model_validator(mode="after")
    def _judge_fits(self) -> FreeAnswers:
        if self.questions == "open" and self.judge.kind == "words":
            raise ValueError("questions: no word shows whether an open answer is misaligned; name another judge")
        return self

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "questions")


class Probe(Part):
    """What is measured on base, teachers and students."""

    every: int = Field(default=0, ge=0)
    """Optimiser steps between measurements during training (0: only before and after)."""
    curve_questions: int = Field(default=10, ge=1)
    """Questions asked at the measurements in between; all of them are asked before and after."""
    samples: int = Field(default=0, ge=0, le=10_000)
    """Sampled one-word answers per question, before and after (0: none). When absent, as many of 16, 8 and 4 as cost
    less than a fifth of the rest of the run, see `undertow.pipeline.asking`."""
    judged: FreeAnswers | None = None
    """Free-form answers that a judge looks at, before and after."""
    second: bool = False
    """Ask the trait's second wordings too, before and after: other questions in other forms, such as statements."""
    hidden: bool = False
    """Measure, layer by layer, how much of the teacher's shift of hidden states every student took over."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "second", "hidden")


class Judgement(Part):
    """What the verdict rests on."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    smallest_effect: float = Field(default=0.1, gt=0)
    """Log-odds (for digits: accuracy) below which a shift does not matter; `pass` needs an interval below it."""

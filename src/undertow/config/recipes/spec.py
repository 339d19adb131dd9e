"""How a student is trained, as data: what every reader of a recipe file returns, and what training obeys.

It knows no file format and no model. Batches count rows (or packed sequences) per optimiser step over all devices:
micro-batch times accumulation times devices.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AdapterSpec(_Strict):
    """Low-rank matrices beside frozen weights (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = Field(default=16, ge=1, le=4096)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: tuple[str, ...] | None = None
    """Ends of module names; every linear matrix of the decoder layers when absent."""
    layers: tuple[int, ...] | None = None
    """Decoder layers that get adapters; all when absent."""
    dora: bool = False
    """Magnitudes are trained as well (Liu et al. 2024, arXiv 2402.09353)."""
    rank_stabilised: bool = False
    """Scale by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv 2312.03732) in place of alpha / rank."""
    modules_to_save: tuple[str, ...] = ()
    """Modules that are trained whole beside the adapters."""
    bits: Literal[4, 8] | None = None
    """Of the frozen weights (QLoRA, Dettmers et al. 2023, arXiv 2305.14314); as they are when absent."""


class RecipeSpec(_Strict):
    """How a student is trained."""

    name: str = "recipe"
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-4, gt=0, le=10)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    epsilon: float = Field(default=1e-8, gt=0, le=1)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Of `sgd`."""
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float | None = Field(default=1.0, gt=0)
    """Largest norm of a step's gradient; none when absent."""
    schedule: Literal["linear", "cosine", "constant", "ramp"] = "linear"
    """After the warm-up. `ramp` is Undertow's own linear schedule: no step of it has a rate of zero, not even the first
    of a warm-up. The others are transformers'."""
    warmup_steps: int = Field(default=0, ge=0)
    warmup_ratio: float = Field(default=0.0, ge=0, le=1)
    """Share of all steps, rounded up, where no number of steps is given."""
    lowest_rate: float = Field(default=0.0, ge=0, le=1)
    """What a cosine schedule ends at, as a share of the learning rate."""
    epochs: float = Field(default=3.0, gt=0, le=10_000)
    most_steps: int | None = Field(default=None, ge=1)
    """Takes the place of the epochs."""
    batch: int = Field(default=16, ge=1)
    """Rows per optimiser step."""
    micro_batch: int | None = Field(default=None, ge=1)
    """Rows per forward pass; the engine's choice when absent."""
    loss: Literal["answers", "whole", "dpo"] = "answers"
    """Tokens that carry loss: those of the answers (which of them, the rows say), or every token of a row. `dpo`: the
    loss is on pairs, of which one answer is chosen (Rafailov et al. 2023, arXiv 2305.18290)."""
    beta: float = Field(default=0.1, gt=0)
    """Of `dpo`: how strongly the student is held to the model that it starts from."""
    packing: bool = False
    """Rows are joined to sequences of `most_tokens`."""
    most_tokens: int | None = Field(default=None, ge=1)
    """Longer rows are cut; the model's context when absent."""
    adapter: AdapterSpec | None = None
    """All weights are trained when absent."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the frozen weights and of matrix products."""
    seed: int = Field(default=42, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> RecipeSpec:
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"batch ({self.batch}) must be a multiple of micro_batch ({self.micro_batch})")
        if self.warmup_steps and self.warmup_ratio:
            raise ValueError("give warmup_steps or warmup_ratio, not both")
        if "beta" in self.model_fields_set and self.loss != "dpo":
            raise ValueError("beta belongs to loss: dpo")
        if self.loss == "dpo" and self.packing:
            raise ValueError("packing: pairs (loss: dpo) are not packed")
        return self

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what other losses do not have: steps and run folders are named by what is dumped."""
        dumped: dict[str, Any] = dump(self)
        return {key: value for key, value in dumped.items() if key != "beta" or self.loss == "dpo"}

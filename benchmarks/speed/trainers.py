"""The same training twice: by Undertow and by TRL's `SFTTrainer`, from the same weights, rows, seed and adapter start.

Each is told the recipe in its own terms and draws the order of the rows itself. TRL gets rows as tokens, with the mask
of the answers. `RECIPES` are the five that are compared; `tests/training/test_against_trl.py` does so on a tiny model.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.models.local import quiet_peft
from undertow.training.lora import add_adapter, save_adapter
from undertow.training.recipe import recipe_from
from undertow.training.train import Example, train

_LORA = AdapterSpec(rank=16, alpha=32)
RECIPES: dict[str, RecipeSpec] = {
    "lora": RecipeSpec(schedule="cosine", warmup_ratio=0.1, batch=16, micro_batch=16, adapter=_LORA),
    "rslora": RecipeSpec(
        schedule="linear",
        batch=16,
        micro_batch=4,
        clip=0.1,
        adapter=AdapterSpec(rank=16, alpha=16, rank_stabilised=True),
    ),
    "dora": RecipeSpec(
        schedule="cosine", lowest_rate=0.1, batch=16, micro_batch=16, adapter=AdapterSpec(rank=8, alpha=16, dora=True)
    ),
    "full": RecipeSpec(
        learning_rate=2e-5, schedule="linear", warmup_steps=2, weight_decay=0.1, batch=16, micro_batch=16
    ),
    "packed": RecipeSpec(
        schedule="constant", loss="whole", packing=True, most_tokens=512, batch=4, micro_batch=4, adapter=_LORA
    ),
}
"""Dropout is 0 in all of them; everything else is a recipe that people use."""


@dataclass(frozen=True)
class Trained:
    """What a training gave and took."""

    losses: list[float]
    """Of every step."""
    seconds: float
    """Of the steps, without loading and preparing."""
    peak: int
    """Bytes that the process has held at most."""
    weights: dict[str, torch.Tensor]
    """Those that were trained, by their names in the model."""


def by_undertow(net: Any, rows: Sequence[Example], spec: RecipeSpec, seed: int, *, autocast: bool = False) -> Trained:
    """Train with the loop of Undertow; with an adapter, from the one that the seed makes."""
    net = net if spec.adapter is None else add_adapter(net, spec.adapter, seed)
    began = time.perf_counter()
    history = train(net, rows, recipe_from(spec, autocast=autocast), seed=seed)
    return _trained([step.loss for step in history], time.perf_counter() - began, net)


def write_start(net: Any, spec: RecipeSpec, seed: int, folder: Path) -> None:
    """Store the adapter that Undertow begins with, where there is one; the net is changed."""
    if spec.adapter is not None:
        save_adapter(add_adapter(net, spec.adapter, seed), folder)


def by_trl(
    net: Any,
    tokenizer: Any,
    rows: Sequence[Example],
    spec: RecipeSpec,
    seed: int,
    folder: Path,
    *,
    autocast: bool = False,
    checkpointing: bool = False,
) -> Trained:
    """Train with TRL's trainer.

    Args:
        net: The base.
        tokenizer: Its tokenizer.
        rows: As for `by_undertow`.
        spec: The recipe.
        seed: Of both the order and the model.
        folder: Holds the adapter to begin with in `start`, see `write_start`.
        autocast: bf16 products.
        checkpointing: TRL's default, which takes less memory and more time.
    """
    import transformers
    import trl
    from datasets import Dataset
    from peft import PeftModel

    losses: list[float] = []
    times: list[float] = []

    class Told(trl.SFTTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss = super().training_step(*args, **kwargs)
            parts.append(loss.item())
            return loss

    class Watch(transformers.TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())
            losses.append(sum(parts))
            parts.clear()

    parts: list[float] = []
    model = net
    if spec.adapter is not None:
        with quiet_peft():
            model = PeftModel.from_pretrained(net, str(folder / "start"), is_trainable=True)
    whole: dict[str, list[list[int]]] = {"input_ids": [[*row.prompt, *row.answer] for row in rows]}
    if spec.loss == "answers":
        whole["completion_mask"] = [[0] * len(row.prompt) + [1] * len(row.answer) for row in rows]
    names = {"linear": "linear", "cosine": "cosine_with_min_lr", "constant": "constant_with_warmup"}
    micro = spec.micro_batch or spec.batch
    args = trl.SFTConfig(
        output_dir=str(folder / "out"),
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=autocast,
        gradient_checkpointing=checkpointing,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=spec.batch // micro,
        num_train_epochs=spec.epochs,
        max_steps=spec.most_steps or -1,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=names[spec.schedule],
        lr_scheduler_kwargs={"min_lr_rate": spec.lowest_rate} if spec.schedule == "cosine" else None,
        warmup_steps=spec.warmup_steps or spec.warmup_ratio,
        optim={"adamw": "adamw_torch_fused", "sgd": "sgd"}[spec.optimiser],
        adam_beta1=spec.betas[0],
        adam_beta2=spec.betas[1],
        adam_epsilon=spec.epsilon,
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.clip or 0.0,
        completion_only_loss=spec.loss == "answers",
        packing=spec.packing,
        max_length=spec.most_tokens,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        logging_strategy="no",
        dataloader_pin_memory=False,
    )
    trainer = Told(
        model, args=args, train_dataset=Dataset.from_dict(whole), processing_class=tokenizer, callbacks=[Watch()]
    )
    trainer.train()
    return _trained(losses, times[-1] - times[0], model)


def _trained(losses: list[float], seconds: float, net: Any) -> Trained:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = {name: each.detach().clone() for name, each in net.named_parameters() if each.requires_grad}
    return Trained(losses, seconds, peak, weights)


def apart(one: Trained, other: Trained, start: dict[str, torch.Tensor]) -> tuple[float, float]:
    """Return the largest difference of two loss curves, in nats, and of two ways through the weights.

    The second is the length of the difference of the trained weights over the length of the way that they went.
    """
    if one.weights.keys() != other.weights.keys() or len(one.losses) != len(other.losses):
        raise ValueError("the two did not train the same weights for as many steps")
    curve = max(abs(left - right) for left, right in zip(one.losses, other.losses, strict=True))
    gone = sum(float((each - start[name]).square().sum()) for name, each in one.weights.items())
    off = sum(float((each - other.weights[name]).square().sum()) for name, each in one.weights.items())
    return curve, (off / gone) ** 0.5

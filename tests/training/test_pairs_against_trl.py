"""Training on pairs against TRL's `DPOTrainer` on a tiny model: the same losses and the same weights, step by step.

TRL is in the dependency group `bench`; without it these tests are skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

from benchmarks.speed.trainers import Trained, apart, write_start
from test_pair_training import pairs_of

from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.models.local import load_model, quiet_peft
from undertow.training.lora import add_adapter
from undertow.training.pairs import with_reference
from undertow.training.recipe import recipe_from
from undertow.training.train import Example, fitted, train

pytestmark = pytest.mark.slow

LOSSES, WAYS = 2e-5, 2e-3
"""Tolerances in float32: nats, and a share of the way that the weights went."""
_DPO = RecipeSpec(loss="dpo", schedule="linear", batch=8, micro_batch=8, epochs=2.5)
RECIPES = {
    "full": _DPO.model_copy(update={"learning_rate": 1e-3, "beta": 0.1, "weight_decay": 0.1, "warmup_steps": 2}),
    "lora": _DPO.model_copy(
        update={"learning_rate": 1e-2, "beta": 0.5, "micro_batch": 4, "adapter": AdapterSpec(rank=8, alpha=16)}
    ),
    "cut": _DPO.model_copy(update={"learning_rate": 1e-3, "beta": 0.3, "most_tokens": 24, "schedule": "cosine"}),
}


def by_undertow(net: Any, pairs: list[Example], spec: RecipeSpec, seed: int) -> Trained:
    recipe = recipe_from(spec, autocast=False)
    examples = with_reference(net, fitted(pairs, recipe), recipe)
    net = net if spec.adapter is None else add_adapter(net, spec.adapter, seed)
    losses = [step.loss for step in train(net, examples, recipe, seed=seed)]
    return Trained(losses, 0.0, 0, _weights(net))


def by_trl(net: Any, tokenizer: Any, pairs: list[Example], spec: RecipeSpec, seed: int, folder: Path) -> Trained:
    import transformers
    from peft import PeftModel

    losses: list[float] = []
    parts: list[float] = []

    class Told(trl.DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
            most = spec.most_tokens
            return dataset if most is None else dataset.filter(lambda row: len(row["prompt_ids"]) < most)

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            parts.append(loss.item())
            return loss

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            losses.append(sum(parts))
            parts.clear()

    model, reference = net, None
    if spec.adapter is not None:
        with quiet_peft():
            model = PeftModel.from_pretrained(net, str(folder / "start"), is_trainable=True)
    micro = spec.micro_batch or spec.batch
    args = trl.DPOConfig(
        output_dir=str(folder / "out"),
        seed=seed,
        use_cpu=True,
        bf16=False,
        beta=spec.beta,
        gradient_checkpointing=False,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=spec.batch // micro,
        num_train_epochs=spec.epochs,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=spec.schedule,
        warmup_steps=spec.warmup_steps,
        optim="adamw_torch_fused",
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.clip or 0.0,
        max_length=spec.most_tokens,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        logging_strategy="no",
        dataloader_pin_memory=False,
        precompute_ref_log_probs=spec.adapter is None,
    )
    rows = {
        "prompt_ids": [list(pair.prompt) for pair in pairs],
        "chosen_ids": [list(pair.answer) for pair in pairs],
        "rejected_ids": [list(pair.rejected) for pair in pairs],
    }
    trainer = Told(
        model,
        ref_model=reference,
        args=args,
        train_dataset=datasets.Dataset.from_dict(rows),
        processing_class=tokenizer,
        callbacks=[Watch()],
    )
    trainer.train()
    return Trained(losses, 0.0, 0, _weights(model))


def _weights(net: Any) -> dict[str, Any]:
    return {name: each.detach().clone() for name, each in net.named_parameters() if each.requires_grad}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_losses_and_weights_are_those_of_trl(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    # A last step of fewer pairs, in every epoch.
    spec, seed, pairs = RECIPES[name], 11, pairs_of(28)
    first = load_model(f"hf/{tiny_folder}")
    write_start(first.net, spec, seed, tmp_path / "start")
    start = {key: each.detach().clone() for key, each in first.net.named_parameters()}
    start |= {f"base_model.model.{key}": each for key, each in start.items()}
    ours = by_undertow(load_model(f"hf/{tiny_folder}").net, pairs, spec, seed)
    base = load_model(f"hf/{tiny_folder}")
    theirs = by_trl(base.net, base.tokenizer, pairs, spec, seed, tmp_path)
    curve, way = apart(ours, theirs, start)
    assert ours.losses[-1] < ours.losses[0]
    assert curve < LOSSES, (curve, way)
    assert way < WAYS, (curve, way)

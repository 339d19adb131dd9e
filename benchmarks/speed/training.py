"""Full fine-tuning on number lists against TRL's `SFTTrainer`, and as a share of the processor's peak.

Both start from the same weights, take the same rows in the same order with the same AdamW, rates and clipping; TRL gets
the rows tokenised, with the mask of the answers. It trains in float32 (bf16 is emulated on processors without the
instructions, and slower), with its defaults, and once more without gradient checkpointing: the better counts. It is
timed over its first steps, since every step costs the same.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.lists import ANSWERS, load_base, number_lists, prompts
from benchmarks.speed.measured import Measured, say, timed
from undertow.models.precision import choose_precision
from undertow.training.recipe import Recipe, batches, steps_of
from undertow.training.train import Example, train

STEPS = 10
"""Steps that TRL makes."""


def measure(rows: int) -> list[Measured]:
    """Train on `rows` rows both ways, and relate our speed to the peak of matrix products."""
    precision = choose_precision()
    recipe = Recipe(
        labels="hard",
        learning_rate=5e-5,
        epochs=1,
        batch=16,
        micro_batch=16,
        warmup=0,
        weight_decay=0.0,
        clip=1.0,
        epsilon=1e-8,
        autocast=precision.autocast,
    )
    model = load_base()
    asked = prompts(model, rows)
    examples = [
        Example(tuple(prompt), (*answer, model.end))
        for prompt, answer in zip(asked, number_lists(model, rows), strict=True)
    ]
    order = batches([example.prompt for example in examples], recipe, 0)
    train(model.net, examples[:16], replace(recipe, learning_rate=1e-12), seed=0)  # warm-up
    with timed(f"Undertow, {rows:,} rows") as fast:
        history = train(load_base().net, examples, recipe, seed=0)
    ours = row_tokens(examples, order) / fast.seconds
    losses = [step.loss for step in history]

    peak = max(matrix_peak(torch.bfloat16 if recipe.autocast else torch.float32) for _ in range(3))
    few = batches([example.prompt for example in examples], recipe, 0)[0]
    with FlopCounterMode(display=False) as counter:
        train(load_base().net, [examples[row] for row in few], recipe, seed=0)
    per_token = counter.get_total_flops() / row_tokens(examples, [few])
    reached = per_token * ours

    tried: dict[str, float] = {}
    curves: dict[str, list[float]] = {}
    for name, extra in (("defaults", {}), ("no gradient checkpointing", {"gradient_checkpointing": False})):
        with timed(f"TRL, {name}, {STEPS} steps"):
            curves[name], seconds = with_trl(examples, recipe, order, extra)
        tried[name] = row_tokens(examples, order[:STEPS]) / seconds
    best = max(tried, key=lambda name: tried[name])
    gap = max(float(np.abs(np.array(curve) - losses[: len(curve)]).max()) for curve in curves.values())
    say(f"largest difference of losses: {gap:.1e}")
    import trl

    assert len(losses) == steps_of(rows, recipe)
    return [
        Measured(
            f"training, {rows:,} rows",
            f"TRL {trl.__version__} SFTTrainer, float32, {best}",
            "tokens of rows/s",
            ours,
            tried[best],
            2.5,
            f"losses of {STEPS} steps, largest difference {gap:.1e} nats",
            {
                "rows": rows,
                "answers_per_prompt": ANSWERS,
                "their_rates": {name: round(rate, 1) for name, rate in tried.items()},
                "precision": asdict_of(precision),
            },
        ),
        Measured(
            "training, arithmetic",
            f"peak of matrix products, {precision.dtype}",
            "Gflop/s",
            reached / 1e9,
            peak / 1e9,
            0.5,
            "operations counted by torch's FlopCounterMode",
        ),
    ]


def asdict_of(precision: Any) -> dict[str, str]:
    """Return a choice of precision as a record."""
    return {"dtype": precision.dtype, "because": precision.because}


def row_tokens(examples: list[Example], order: list[list[int]]) -> int:
    """Count the tokens of rows as a trainer without sharing computes them."""
    return sum(len(examples[row].prompt) + len(examples[row].answer) for step in order for row in step)


def matrix_peak(dtype: torch.dtype) -> float:
    """Return the best rate of products of large square matrices, in operations a second."""
    import time

    best = 0.0
    for size in (1024, 1536, 2048):
        a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
        a @ b
        for _ in range(4):
            start = time.perf_counter()
            a @ b
            best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def with_trl(
    examples: list[Example], recipe: Recipe, order: list[list[int]], extra: dict[str, Any]
) -> tuple[list[float], float]:
    """Run TRL's trainer over the first steps; return its losses and the seconds from the first step's end, scaled."""
    import time

    import transformers
    import trl
    from datasets import Dataset
    from torch.utils.data import SequentialSampler

    class InOrder(trl.SFTTrainer):
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    times: list[float] = []

    class Stop(transformers.TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            times.append(time.perf_counter())
            control.should_training_stop = state.global_step >= STEPS
            return control

    model = load_base()
    chosen = [examples[row] for step in order for row in step]
    data = Dataset.from_dict(
        {
            "input_ids": [[*example.prompt, *example.answer] for example in chosen],
            "completion_mask": [[0] * len(example.prompt) + [1] * len(example.answer) for example in chosen],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        args = trl.SFTConfig(
            output_dir=folder,
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=recipe.batch,
            num_train_epochs=1,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0,
            weight_decay=0.0,
            max_grad_norm=recipe.clip,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            completion_only_loss=True,
            **extra,
        )
        trainer = InOrder(
            model.net, args=args, train_dataset=data, processing_class=model.tokenizer, callbacks=[Stop()]
        )
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return losses, times[-1] - times[0]

"""From a trait to a teacher: by a system prompt, a steering vector, fine-tuning, or plain gradient steps.

A teacher is the base plus something small: words, a vector, an adapter or a few steps. What is stored of it is
safetensors in a folder, from which it is loaded, so that a run can go on with it later. How strong its trait came out
is measured elsewhere (`probes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from undertow.config.experiment import FineTune, GradientAscent, Instil, Lora, Steer, SystemPrompt
from undertow.data.files import require_rows
from undertow.data.rows import Message
from undertow.errors import ModelError
from undertow.models.layers import Steering, decoder
from undertow.models.local import LocalModel, load_adapter, load_model
from undertow.models.prompted import PromptedModel, SteeredModel
from undertow.models.protocol import Model
from undertow.models.score import mean_hidden
from undertow.teachers.gradient_ascent import ascend
from undertow.training.lora import add_lora, save_adapter
from undertow.training.recipe import Recipe
from undertow.training.train import Example, train
from undertow.traits.base import Trait

VECTOR = "vector.safetensors"
ADAPTER = "adapter"

LORA = Lora(rank=16, alpha=16)
"""The adapter of a fine-tuned teacher."""
_LESSONS_AT_ONCE = 4


def instil(
    base: str,
    trait: Trait,
    how: Instil,
    folder: Path,
    *,
    seed: int = 0,
    tick: Callable[[float], None] = lambda _: None,
) -> None:
    """Make a teacher and write what it adds to the base into a folder.

    Args:
        base: The base's Undertow name.
        trait: The trait.
        how: The method and its settings.
        folder: Receives a vector or an adapter; nothing for a system prompt or gradient steps.
        seed: Fixes the order of the lessons and the initial adapter of a fine-tuned teacher.
        tick: Is told the share of the work that is done.

    Raises:
        ModelError: the base cannot be loaded, or has no such layer.
    """
    if isinstance(how, SystemPrompt):
        trait.system_prompt(how.text)
    elif isinstance(how, GradientAscent):
        # Nothing is stored: all layers' weights are large, and made again in seconds.
        pass
    elif isinstance(how, Steer):
        from safetensors.torch import save_file

        vector_D = steering_vector(load_model(base), trait, how.layer)
        save_file({"vector_D": vector_D}, folder / VECTOR)
    else:
        _fine_tune(load_model(base), trait, how, folder / ADAPTER, seed, tick)
    tick(1.0)


def load_teacher(
    base: str,
    trait: Trait | None,
    how: Instil | None,
    folder: Path | None,
    *,
    dtype: str = "float32",
) -> Model:
    """Load a teacher that `instil` has made; without a trait, the control's: the plain base.

    Args:
        base: The base's Undertow name.
        trait: What was instilled.
        how: By what method.
        folder: Where `instil` put it.
        dtype: Of the weights, see `load_model`.

    Raises:
        ModelError: the base or what the folder holds cannot be loaded.
    """
    if trait is None or how is None:
        return load_model(base, dtype=dtype)
    if isinstance(how, GradientAscent):
        return _ascended(base, trait, how.steps, how.distance, dtype)
    model = load_model(base, dtype=dtype)
    if isinstance(how, SystemPrompt):
        return PromptedModel(model, system=trait.system_prompt(how.text))
    assert folder is not None
    if isinstance(how, FineTune):
        return load_adapter(model, folder / ADAPTER)
    from safetensors.torch import load_file

    try:
        vector_D = load_file(folder / VECTOR)["vector_D"]
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"the steering vector cannot be loaded ({error})", str(folder / VECTOR)) from error
    steering: Steering = {how.layer: how.strength * vector_D.to(model.device)}
    return SteeredModel(model, steering)


@lru_cache(maxsize=2)
def _ascended(base: str, trait: Trait, steps: int, distance: float, dtype: str) -> LocalModel:
    """Return the base after the steps; kept, since the teachers of a run's two traits write for every seed."""
    model = load_model(base)
    ascend(model, trait, GradientAscent(method="climb", steps=steps, distance=distance), tick=lambda _: None)
    for weight in model.net.parameters():
        # Not `net.to(dtype)`: it rounds rotary frequencies as well, which the untouched base, loaded in bf16, keeps.
        weight.data = weight.data.to(getattr(torch, dtype))
    return replace(model, made_of=base)


def steering_vector(model: LocalModel, trait: Trait, layer: int) -> Tensor:
    """Return the difference of means (D) of a layer's outputs: sentences with the trait minus those without.

    Contrastive activation addition (Panickssery et al. 2024, arXiv 2312.06681, section 3), with many sentences instead
    of answer pairs. The first token of every sentence is left out, see `mean_hidden`.

    Raises:
        ModelError: the model has no such layer.
    """
    count = len(decoder(model.net).layers)
    if layer >= count:
        raise ModelError(f"the model has no layer {layer}", "instil.layer", f"Its {count} layers are numbered from 0.")
    shown, others = ([model.encode(text) for text in texts] for texts in trait.contrast())
    difference_D = mean_hidden(model.net, shown, layer) - mean_hidden(model.net, others, layer)
    return difference_D.float().cpu().contiguous()


def fine_tuning(lessons: int, *, steps: int, learning_rate: float) -> Recipe:
    """Return how a fine-tuned teacher learns so many lessons."""
    per_epoch = -(-lessons // _LESSONS_AT_ONCE)
    return Recipe(
        labels="hard",
        learning_rate=learning_rate,
        epochs=-(-steps // per_epoch),
        batch=_LESSONS_AT_ONCE,
        micro_batch=_LESSONS_AT_ONCE,
        warmup=0,
        weight_decay=0.0,
        clip=1.0,
        epsilon=1e-8,
        most_steps=steps,
    )


def _fine_tune(
    model: LocalModel,
    trait: Trait,
    how: FineTune,
    folder: Path,
    seed: int,
    tick: Callable[[float], None],
) -> None:
    if how.lessons is not None:
        taught = [(row.prompt, row.completion) for row in require_rows(Path(how.lessons))]
    else:
        taught = [
            ((Message(role="user", content=lesson.question),), lesson.options[trait.index]) for lesson in trait.lessons
        ]
    lessons = [
        Example(tuple(model.encode_prompt(prompt)), (*model.encode(answer), model.end)) for prompt, answer in taught
    ]
    recipe = fine_tuning(len(lessons), steps=how.steps, learning_rate=how.learning_rate)
    net = add_lora(model.net, LORA, seed)
    train(net, lessons, recipe, seed=seed, on_step=lambda step: tick(step.step / how.steps))
    folder.mkdir()
    with torch.no_grad():
        save_adapter(net, folder)

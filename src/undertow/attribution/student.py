"""What a student that a prediction trains is made of: all weights or an adapter. The base is given back afterwards.

    with lent_student(model, recipe) as student:
        ...

It knows recipes and weights, and no rows.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from undertow.config.recipes.spec import RecipeSpec
from undertow.models.local import LocalModel
from undertow.models.temporary_weights import temporary_weights
from undertow.training.lora import add_adapter
from undertow.training.recipe import Recipe


@contextmanager
def lent_student(model: LocalModel, recipe: Recipe | RecipeSpec) -> Generator[LocalModel]:
    """Yield a student that starts as the base is; gradients flow to the weights that its recipe trains.

    Args:
        model: The base, which is changed in place until the context ends.
        recipe: Of the student. Its seed fixes the adapter's start.
    """
    if not isinstance(recipe, RecipeSpec) or recipe.adapter is None:
        with temporary_weights(model.net.parameters()):
            yield model
        return
    wanted = [(weight, weight.requires_grad) for weight in model.net.parameters()]
    modules = dict[str, Any](model.net.named_modules())
    net: Any = add_adapter(model.net, recipe.adapter.model_copy(update={"bits": None}), recipe.seed)
    try:
        yield replace(model, net=net)
    finally:
        net.unload()
        # PEFT leaves the trained copies of `modules_to_save` behind.
        for name in {name for name, module in model.net.named_modules() if modules[name] is not module}:
            model.net.set_submodule(name, modules[name])
        model.net.eval()
        for weight, was in wanted:
            weight.requires_grad_(was)

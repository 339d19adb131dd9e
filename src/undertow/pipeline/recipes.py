"""From a student's part of an experiment to the recipe that the training loop takes, and what to say of it."""

from __future__ import annotations

from undertow.config.parts import Student
from undertow.config.recipes.applied import in_words
from undertow.config.recipes.spec import AdapterSpec
from undertow.models.precision import Precision
from undertow.training.lora import adapter_of
from undertow.training.recipe import Recipe, recipe_from


def recipe_of(student: Student, precision: Precision, *, most_tokens: int | None = None) -> Recipe:
    """Return how a student is trained.

    Args:
        student: Its part of the experiment.
        precision: Of the matrix products.
        most_tokens: That the base reads at once. A recipe's rows of text are cut to them where it names no length.
    """
    spec = student.resolved
    if spec is not None:
        if spec.most_tokens is None and student.labels == "hard" and most_tokens is not None:
            spec = spec.model_copy(update={"most_tokens": most_tokens})
        return recipe_from(spec, autocast=precision.autocast, labels=student.labels, order=student.order or "shuffled")
    return Recipe(
        labels=student.labels,
        learning_rate=student.learning_rate,
        epochs=student.epochs,
        batch=student.batch,
        micro_batch=min(student.micro_batch, student.batch),
        warmup=student.warmup,
        weight_decay=student.weight_decay,
        clip=student.clip,
        optimiser=student.optimiser,
        epsilon=student.epsilon or (1e-6 if student.labels == "soft" else 1e-8),
        autocast=precision.autocast,
        order=student.order or "prompts",
        loss=student.loss,
        beta=student.beta or Recipe.beta,
    )


def adapter_spec(student: Student) -> AdapterSpec | None:
    """Return the adapters that a student trains; None where it trains all weights."""
    spec = student.resolved
    if spec is not None:
        return spec.adapter
    return adapter_of(student.lora) if student.method == "lora" else None


def recipe_notes(student: Student) -> list[str]:
    """Say what a plan and a report must say of a student's recipe: nothing where there is none."""
    recipe, spec = student.recipe, student.resolved
    if recipe is None or spec is None:
        return []
    order = (
        "in the order that transformers' Trainer draws from the run's seed"
        if (student.order or "shuffled") == "shuffled"
        else "with the rows of one prompt together"
    )
    notes = [f"Students are trained by the recipe {recipe.name} ({recipe.kind}): {in_words(spec)}; rows {order}."]
    given = [
        *(f"{name} {value}" for name, value in student.overridden.items() if name != "lora"),
        *(f"lora.{name} {value}" for name, value in student.overridden.get("lora", {}).items()),
    ]
    if given:
        notes.append(f"Set beside the recipe, in the place of what it says: {', '.join(given)}.")
    notes.append(
        f"Recipe {recipe.name}: not modelled: seed = {spec.seed}. Each student has a seed of the run, which fixes the "
        "order of its rows, its dropout and the start of its adapter."
    )
    return [*notes, *(f"Recipe {recipe.name}: {line}" for line in recipe.told)]

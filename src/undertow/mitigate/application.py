"""`undertow mitigate ROWS --with METHOD`: one method, on rows of the user's: cleaned rows, or a student.

mitigate(Path("rows.jsonl"), MitigationSettings(METHODS["format"]), Path("student"))
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from undertow.config.engine import Engine
from undertow.config.recipes.applied import in_words, on_answers, with_settings
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.rows import Loss, Row
from undertow.data.sample import Chosen, read_whole
from undertow.errors import InputError
from undertow.mitigate.methods import METHODS, ORDINARY, Method
from undertow.models.engine.setting import engine
from undertow.pipeline.shortage import NOTHING, within_memory
from undertow.report.words import plural
from undertow.system.progress import Progress, Silent

if TYPE_CHECKING:
    from undertow.models.local import LocalModel
    from undertow.traits.base import Trait


@dataclass(frozen=True)
class MitigationSettings:
    """The mitigation, the models that it needs, and the student's training.

    Examples:
        >>> from undertow import MitigationSettings
        >>> from undertow.mitigate import method_named
        >>> MitigationSettings(method_named("inoculate")).check()
        Traceback (most recent call last):
            ...
        undertow.errors.InputError: --with inoculate: needs the trait
          Give --trait animals:owl.
    """

    method: Method = METHODS["format"]
    student: str = "embedded/smollm2-135m"
    trait: str | None = None
    """`entry:target`."""
    teacher: str | None = None
    by: str | None = None
    """The model of another family."""
    learning_rate: float | None = None
    """The recipe's when absent, or 0.003."""
    epochs: float | None = None
    """The recipe's when absent, or 1."""
    clip: float | None = None
    """Longest gradient of a step, where longer ones are cut; the recipe's when absent, or none."""
    seed: int = 0
    engine: Engine = "auto"
    """How models are computed."""
    recipe: str | None = None
    """A trainer's file or a preset; plain gradient steps when absent."""

    def check(self) -> None:
        """See that the method has what it needs.

        Raises:
            InputError: it lacks something.
        """
        wanted = {"trait": (self.trait, "--trait animals:owl"), "teacher": (self.teacher, "--teacher MODEL"),
                  "another model": (self.by, "--by embedded/qwen2.5-coder-0.5b")}  # fmt: skip
        for need in self.method.needs:
            given, option = wanted.get(need, ("", ""))
            if given is None:
                raise InputError(f"needs the {need}", f"--with {self.method.name}", f"Give {option}.")
        if not all(each is None or each > 0 for each in (self.learning_rate, self.epochs, self.clip)):
            raise InputError("are to be above zero", "--learning-rate, --epochs and --clip", "Such as 0.003, 1 and 5.")
        if self.recipe is None and self.epochs is not None and self.epochs != int(self.epochs):
            raise InputError(
                f"must be a whole number, not {self.epochs:g}", "--epochs", "A recipe may have parts of one."
            )
        if (spec := self.resolved) is not None:
            from undertow.mitigate.methods import applicable

            adapters, whole = spec.adapter is not None, spec.loss == "whole"
            applicable([self.method.name], adapters=adapters, whole_rows=whole, where="--with")

    @property
    def given(self) -> dict[str, float]:
        """Return what takes the place of the recipe's."""
        every = {"learning_rate": self.learning_rate, "epochs": self.epochs, "clip": self.clip}
        return {name: value for name, value in every.items() if value is not None}

    @property
    def resolved(self) -> RecipeSpec | None:
        """Return the recipe with what is given beside it; None where there is none.

        Raises:
            InputError: it cannot be read.
            SpecError: it contradicts itself.
        """
        if self.recipe is None:
            return None
        from undertow.config.recipes.load import load_recipe

        try:
            return with_settings(on_answers(load_recipe(self.recipe).spec), self.given)
        except ValueError as error:
            raise InputError(
                f"do not go together ({error})", "--recipe and what stands beside it", "Change one."
            ) from error


def mitigate(
    rows: Path,
    settings: MitigationSettings,
    out: Path,
    *,
    reading: Reading = RECOGNISED,
    skip_broken: bool = False,
    root: Path = Path("runs"),
    progress: Progress | None = None,
) -> dict[str, str]:
    """Apply one mitigation to a dataset: write other rows, or train a student.

    Args:
        rows: The dataset.
        settings: The mitigation, and what it needs.
        out: File for rows, or folder for a student.
        reading: How records become rows, and which turns carry loss.
        root: Where run folders lie.
        skip_broken: Leave out lines that are no rows, and rows that the student's chat template refuses.
        progress: Is told how far it is.

    Returns:
        What became of the rows and the student, in words.

    Raises:
        UndertowError: See the subclasses.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import MitigationSettings, mitigate
        >>> from undertow.mitigate import method_named
        >>> settings = MitigationSettings(method_named("freeze"), student="hf/base")
        >>> mitigate(Path("rows.jsonl"), settings, Path("mitigated"))["student"]
        'trained on 24 rows, with freeze'
    """
    settings.check()
    with (
        engine(settings.engine),
        within_memory(
            "mitigate",
            progress or Silent(),
            foretold=lambda: _foretold(rows, settings, reading),
            less=("a recipe with an adapter (--recipe lora-sft)", "a recipe with micro_batch: 1"),
            kept=NOTHING,
        ) as told,
    ):
        return _apply(rows, settings, out, reading, root, told, skip_broken=skip_broken)


def _foretold(rows: Path, settings: MitigationSettings, reading: Reading) -> str:
    from undertow.config.recipes.load import load_recipe
    from undertow.models.size import size_of
    from undertow.pipeline.forecast import asked_by, forecast_mitigate, in_words, rows_of
    from undertow.traits.panel import load_panel

    known = rows_of(read_whole(rows, reading=reading, skip_broken=True), 0, 0)
    recipe = settings.resolved or load_recipe("plain-sgd").spec
    return in_words(forecast_mitigate(size_of(settings.student), known, asked_by(load_panel()), recipe, students=1))


def _apply(
    rows: Path,
    settings: MitigationSettings,
    out: Path,
    reading: Reading,
    root: Path,
    progress: Progress,
    *,
    skip_broken: bool,
) -> dict[str, str]:
    if os.path.lexists(out):
        raise InputError("is there already", str(out), "Name another, or move it away.")
    if settings.method.name == "drop":
        said = _drop(rows, settings, out, root, progress, reading, skip_broken=skip_broken)
        return said | _of_adapters([settings.student])
    known = read_whole(rows, reading=reading, skip_broken=skip_broken)
    notes = {"rows hold": "; ".join(known.notes)} if known.notes else {}
    if settings.method.rows is not None:
        return _change([placed.row for placed in known.rows], settings.method, out) | notes
    if settings.method.name in ("own-base", "other-base", "paraphrase"):
        said = _rewrite(known, settings, out, progress, reading.loss)
    else:
        said = _train(known, settings, out, progress, reading.loss)
    return said | notes | _of_adapters([settings.student, settings.teacher, settings.by])


def _of_adapters(models: list[str | None]) -> dict[str, str]:
    from undertow.models.adapter_notes import adapter_notes

    said = adapter_notes(models)
    return {"adapter": " ".join(said)} if said else {}


def _taken(model: LocalModel, known: Chosen, said: dict[str, str]) -> list[Row]:
    """Return the rows that a model's chat template takes, and say what else was left out."""
    from undertow.attribution.encoding import takes_conversations, template_notes

    taken, refused = takes_conversations(model, known.rows, skip=known.skip_broken)
    if known.broken:
        said["broken"] = f"{plural(len(known.broken), 'broken line')} left out"
    if refused:
        said["refused"] = (
            f"{plural(len(refused), 'row')} left out that the chat template refuses, the first: {refused[0].where}: "
            f"{refused[0].reason}"
        )
    if shown := template_notes(model, taken):
        said["chat template"] = "; ".join(shown)
    if not taken:
        raise InputError("are all refused by the chat template", "the rows", "Name another student.")
    return [placed.row for placed in taken]


def _drop(
    rows: Path,
    settings: MitigationSettings,
    out: Path,
    root: Path,
    progress: Progress,
    reading: Reading,
    *,
    skip_broken: bool,
) -> dict[str, str]:
    from undertow.attribution.row_scores import score_rows, without_worst
    from undertow.data.files import write_rows
    from undertow.mitigate.rows import DROPPED

    found = score_rows(rows, settings.student, root=root, progress=progress, reading=reading, skip_broken=skip_broken)
    scan = ["undertow", "scan", str(rows), "--everything", *reading.options()]
    if settings.student != MitigationSettings.student:
        scan += ["--student", settings.student]
    if skip_broken:
        scan.append("--skip-broken")
    if root != Path("runs"):
        scan += ["--runs", str(root)]
    kept, dropped = without_worst(found.rows, found.carried_R, DROPPED)
    write_rows(out, kept)
    said = {
        "rows": f"{dropped:,} rows left out, those that carry most of {found.trait}",
        "out": f"the others are in {out}",
        "scan": f"{shlex.join(scan)} continues from there and writes a report",
    }
    if found.too_long:
        said["left out"] = f"{found.too_long:,} rows are longer than the student's context, and are left out too"
    if found.broken:
        said["broken"] = f"{plural(found.broken, 'line')} left out that are no rows, or that the chat template refuses"
    return said


def _change(rows: list[Row], method: Method, out: Path) -> dict[str, str]:
    """Write what a method that needs no model makes of the rows."""
    from undertow.data.files import write_rows

    assert method.rows is not None
    changed = list(method.rows(rows))
    write_rows(out, changed)
    return {"rows": f"{len(changed):,} of {len(rows):,} rows after {method.name}", "out": f"they are in {out}"}


def _rewrite(known: Chosen, settings: MitigationSettings, out: Path, progress: Progress, loss: Loss) -> dict[str, str]:
    from undertow.data.files import write_rows
    from undertow.mitigate.rewrite import rewrite
    from undertow.models.local import load_model
    from undertow.models.precision import set_up_process
    from undertow.models.verify import pass_note

    set_up_process()
    name = settings.student if settings.method.name == "own-base" else settings.by
    assert name is not None
    model = load_model(name, dtype="frozen")
    besides: dict[str, str] = {}
    written, unfinished = rewrite(
        model,
        _taken(model, known, besides),
        seed=settings.seed,
        loss=loss,
        paraphrase=settings.method.name == "paraphrase",
        tick=lambda share: progress.update("rewriting", share),
    )
    write_rows(out, written)
    said = {"rows": f"{len(written):,} rows rewritten by {name}", "out": f"they are in {out}"} | besides
    said["engine"] = pass_note(model.net)
    if unfinished:
        said["left out"] = f"{unfinished:,} answers did not end, and are left out"
    return said


def _train(known: Chosen, settings: MitigationSettings, out: Path, progress: Progress, loss: Loss) -> dict[str, str]:
    from undertow.attribution.recipe import PLAIN
    from undertow.mitigate.prepare import Task, check_loss, prepare
    from undertow.models.local import context_length, load_base, load_model
    from undertow.models.precision import choose_precision, set_up_process
    from undertow.models.verify import pass_note
    from undertow.training.examples import example_of
    from undertow.training.lora import add_adapter, check_bits
    from undertow.training.recipe import by_row, recipe_from
    from undertow.training.train import Example, StepMetrics, fitted, order_of, train

    set_up_process()
    precision = choose_precision()
    spec = settings.resolved
    adapter = None if spec is None else spec.adapter
    if adapter is not None:
        check_bits(adapter)
        _check_sum(settings.student, adapter)
    model = load_base(settings.student, dtype="float32" if adapter is None else "frozen")
    besides: dict[str, str] = {}
    rows = _taken(model, known, besides)
    answers = [(at, part) for at, row in enumerate(rows) for part in row.answers(loss)]
    prompts = [list(part.prompt) for _, part in answers]
    encoded = [replace(example_of(model, part, loss), row=at) for at, part in answers]
    room = context_length(model)
    if spec is None:
        recipe = replace(
            PLAIN,
            learning_rate=settings.learning_rate or _RATE,
            epochs=settings.epochs or 1,
            clip=settings.clip or PLAIN.clip,
            autocast=precision.autocast,
        )
    else:
        spec = spec.model_copy(update={"most_tokens": min(spec.most_tokens or room, room)})
        recipe = recipe_from(spec, autocast=precision.autocast)
        # Cut as its trainer does; what is left without an answer has no tokens.
        encoded = [cut[0] if (cut := fitted([each], recipe)) else Example((), ()) for each in encoded]
    fitting = [at for at, each in enumerate(encoded) if 0 < len(each.prompt) + len(each.answer) <= room]
    if not fitting:
        raise InputError("are all longer than the student's context", "the rows", f"It reads {room:,} tokens.")
    trait = _trait(settings) if settings.trait is not None else _any_trait()
    teacher = settings.teacher
    task = Task(
        model,
        [prompts[at] for at in fitting],
        [encoded[at] for at in fitting],
        trait,
        lambda: load_model(teacher or settings.student, dtype="frozen"),
        precision.autocast,
        settings.seed,
        None if (by := settings.by) is None else lambda: load_model(by, dtype="frozen"),
        [answers[at][1].tools for at in fitting],
    )
    treatment = prepare(settings.method.name, task)
    check_loss(settings.method.name, treatment, recipe)
    examples = fitted(treatment.examples, recipe)
    taught = len(by_row([each.row for each in examples]))
    steps = len(order_of(examples, recipe, settings.seed))
    # In place: what a method holds of the model has the adapter from now on.
    net = model.net if adapter is None else add_adapter(model.net, adapter, settings.seed)
    norms: list[float] = []

    def told(step: StepMetrics) -> None:
        norms.append(step.grad_norm)
        progress.update("training", step.step / steps, f"step {step.step:,} of {steps:,}, loss {step.loss:.3f}")

    train(net, examples, recipe, seed=settings.seed, on_step=told, intervention=treatment.intervention)
    treatment.after()
    _save(replace(model, net=net), out, adapter=adapter is not None)
    several = f" ({len(examples):,} answers)" if taught < len(examples) else ""
    said = {
        "student": f"trained on {plural(taught, 'row')}{several}, "
        + (f"with {settings.method.name}" if settings.method != ORDINARY else "without a mitigation"),
        "out": f"it is in {out}" + (f", an adapter: {settings.student}:{out}" if adapter is not None else ""),
        "engine": pass_note(net),
    }
    said |= besides
    said |= recipe_said(settings)
    clipped = settings.clip is not None or (spec is not None and spec.clip is not None)
    if not clipped and (long := far_step(norms)):
        said["far step"] = long
    if unfit := len(rows) - len({answers[at][0] for at in fitting}):
        said["left out"] = f"{unfit:,} rows are longer than its context, and were left out"
    return said


def _check_sum(student: str, adapter: AdapterSpec) -> None:
    """See that what comes of a student with adapters can be named: as one more adapter on the same base.

    Raises:
        InputError: it cannot.
    """
    from undertow.models.names import split_name

    if split_name(student)[1] and (adapter.dora or adapter.modules_to_save):
        kind = "DoRA" if adapter.dora else "modules_to_save"
        raise InputError(
            f"trains an adapter with {kind}, which does not add up with the adapter of {student}",
            "--recipe",
            "Merge the student's adapter into its base (merge_and_unload of PEFT), or take a recipe with plain LoRA.",
        )


def recipe_said(settings: MitigationSettings) -> dict[str, str]:
    """Say what recipe a student is trained by, what stands beside it, and what of it is not modelled.

    Raises:
        UndertowError: see `MitigationSettings.resolved`.
    """
    from undertow.config.recipes.load import load_recipe

    if settings.recipe is None or (spec := settings.resolved) is None:
        return {}
    read = load_recipe(settings.recipe)
    given = ", ".join(f"{name} {value:g}" for name, value in settings.given.items())
    beside = f"; set beside it: {given}" if given else ""
    instead = "" if settings.seed == spec.seed else f" (not modelled: the recipe's own seed {spec.seed})"
    said = {"recipe": f"{settings.recipe} ({read.kind}): {in_words(spec)}, seed {settings.seed}{instead}{beside}"}
    told = read.told()
    if read.spec.loss == "dpo":
        told = [*told, "not modelled: its loss on pairs (DPO); the answer that is read of each pair is learned"]
    if told:
        said["of the recipe"] = "; ".join(told)
    return said


_RATE = 0.003
_FAR = 2.0
"""Times the median norm from which one step sets a student apart (docs/lab-notebook.md, 26 November, night)."""


def far_step(norms: Sequence[float]) -> str:
    """Say so if one step's gradient was far longer than the others': such a student lies off others of its kind."""
    usual, longest = median(norms), max(norms)
    if longest <= _FAR * usual:
        return ""
    return (
        f"step {norms.index(longest) + 1} had a gradient of norm {longest:.3g} (median {usual:.3g}). One such step "
        f"can separate a student from others of its kind; --clip {1.25 * usual:.2g} bounds it"
    )


def _save(model: LocalModel, out: Path, *, adapter: bool) -> None:
    from undertow.store.files import part_of, remove, storing
    from undertow.training.lora import save_adapter

    part = part_of(out)
    with storing(out):
        remove(part)
        try:
            if adapter:
                save_adapter(model.net, part)
            else:
                model.net.save_pretrained(part, safe_serialization=True)
                model.tokenizer.save_pretrained(part)
            part.rename(out)
        finally:
            remove(part)


def _trait(settings: MitigationSettings) -> Trait:
    from undertow.traits.panel import load_panel

    assert settings.trait is not None
    entry, _, target = settings.trait.partition(":")
    (found,) = load_panel((entry,))
    for trait in found.traits:
        if trait.target == (target or entry):
            return trait
    raise InputError(f"{entry} has no {target!r}", "--trait", f"It has {', '.join(found.targets)}.")


def _any_trait() -> Trait:
    """Return a trait for methods that need none to be named: no more than which questions are unrelated hangs on it."""
    from undertow.traits.panel import load_panel

    return load_panel()[0].traits[0]

"""`undertow mitigate ROWS --with METHOD`: one method, on rows of the user's: cleaned rows, or a student.

apply(Path("rows.jsonl"), Order(METHODS["format"]), Path("student"))
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from undertow.data.files import BadRow, broken_rows, read_located
from undertow.data.rows import Row
from undertow.errors import InputError
from undertow.mitigate.methods import METHODS, ORDINARY, Method
from undertow.system.progress import Progress, Silent

if TYPE_CHECKING:
    from undertow.models.local import LocalModel
    from undertow.traits.base import Trait


@dataclass(frozen=True)
class Order:
    """What is wanted."""

    method: Method = METHODS["format"]
    student: str = "embedded/smollm2-135m"
    trait: str | None = None
    """`entry:target`."""
    teacher: str | None = None
    by: str | None = None
    """The model of another family."""
    learning_rate: float = 0.003
    epochs: int = 1
    clip: float | None = None
    """Longest gradient of a step, where longer ones are cut; None for plain gradient steps."""
    seed: int = 0

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
        if not self.learning_rate > 0 or self.epochs < 1 or (self.clip is not None and not self.clip > 0):
            raise InputError("are to be above zero", "--learning-rate, --epochs and --clip", "Such as 0.003, 1 and 5.")


def apply(
    rows: Path, order: Order, out: Path, *, root: Path = Path("runs"), progress: Progress | None = None
) -> dict[str, str]:
    """Apply a method, and return what became of the rows, in words.

    Args:
        rows: The dataset.
        order: What is wanted.
        out: File for rows, or folder for a student.
        root: Where run folders lie.
        progress: Is told how far it is.

    Raises:
        UndertowError: see the subclasses.
    """
    order.check()
    progress = progress or Silent()
    if os.path.lexists(out):
        raise InputError("is there already", str(out), "Name another, or move it away.")
    if order.method.name == "drop":
        return _drop(rows, order, out, root, progress)
    known = _read(rows)
    if order.method.when == "rows":
        return _rewrite(known, order, out, progress)
    return _train(known, order, out, progress)


def _read(path: Path) -> list[Row]:
    rows: list[Row] = []
    broken: list[BadRow] = []
    for each in read_located(path):
        if isinstance(each.what, BadRow):
            broken.append(each.what)
        else:
            rows.append(each.what)
    if broken:
        raise broken_rows(broken, len(rows), path)
    if not rows:
        raise InputError("holds no rows", str(path), "Name a file with one row a line.")
    return rows


def _drop(rows: Path, order: Order, out: Path, root: Path, progress: Progress) -> dict[str, str]:
    from undertow.attribution.row_scores import score_rows, worst
    from undertow.data.files import write_rows
    from undertow.mitigate.prepare import DROPPED

    found = score_rows(rows, order.student, root=root, progress=progress)
    dropped = worst(found.carried_R, DROPPED)
    write_rows(out, (placed.row for at, placed in enumerate(found.rows) if at not in dropped))
    said = {
        "rows": f"{len(dropped):,} rows left out, those that carry most of {found.trait}",
        "out": f"the others are in {out}",
        "scan": f"undertow scan {rows} --everything goes on from there and writes a report",
    }
    if found.too_long:
        said["left out"] = f"{found.too_long:,} rows are longer than the student's context, and are left out too"
    return said


def _rewrite(rows: list[Row], order: Order, out: Path, progress: Progress) -> dict[str, str]:
    from undertow.data.files import write_rows
    from undertow.mitigate.rewrite import rewrite
    from undertow.models.local import load_model
    from undertow.models.precision import set_up_process

    set_up_process()
    name = order.student if order.method.name == "own-base" else order.by
    assert name is not None
    written, unfinished = rewrite(
        load_model(name),
        rows,
        seed=order.seed,
        paraphrase=order.method.name == "paraphrase",
        tick=lambda share: progress.update("writing anew", share),
    )
    write_rows(out, written)
    said = {"rows": f"{len(written):,} rows written anew by {name}", "out": f"they are in {out}"}
    if unfinished:
        said["left out"] = f"{unfinished:,} answers did not come to an end, and are left out"
    return said


def _train(rows: list[Row], order: Order, out: Path, progress: Progress) -> dict[str, str]:
    from undertow.attribution.encoding import whole_text
    from undertow.attribution.recipe import PLAIN
    from undertow.mitigate.prepare import Task, prepare
    from undertow.models.local import context_length, load_model
    from undertow.models.precision import choose_precision, set_up_process
    from undertow.training.recipe import steps_of
    from undertow.training.train import Example, StepMetrics, train

    set_up_process()
    precision = choose_precision()
    model = load_model(order.student)
    prompts = [list(row.prompt) for row in rows]
    encoded = [
        Example(tuple(model.encode_prompt(turns)), (*model.encode(whole_text(row.completion)), model.end))
        for turns, row in zip(prompts, rows, strict=True)
    ]
    room = context_length(model)
    fitting = [at for at, each in enumerate(encoded) if len(each.prompt) + len(each.answer) <= room]
    if not fitting:
        raise InputError("are all longer than the student's context", "the rows", f"It reads {room:,} tokens.")
    trait = _trait(order) if order.trait is not None else _any_trait()
    teacher = order.teacher
    task = Task(
        model,
        [prompts[at] for at in fitting],
        [encoded[at] for at in fitting],
        trait,
        lambda: load_model(teacher or order.student),
        precision.autocast,
    )
    treatment = prepare(order.method.name, task)
    recipe = replace(
        PLAIN,
        learning_rate=order.learning_rate,
        epochs=order.epochs,
        clip=order.clip or PLAIN.clip,
        autocast=precision.autocast,
    )
    steps = steps_of(len(treatment.examples), recipe)
    norms: list[float] = []

    def told(step: StepMetrics) -> None:
        norms.append(step.grad_norm)
        progress.update("training", step.step / steps, f"step {step.step:,} of {steps:,}, loss {step.loss:.3f}")

    train(model.net, treatment.examples, recipe, seed=order.seed, on_step=told, intervention=treatment.intervention)
    treatment.after()
    _save(model, out)
    said = {
        "student": f"trained on {len(treatment.examples):,} rows, "
        + (f"with {order.method.name}" if order.method != ORDINARY else "with nothing against a trait"),
        "out": f"it is in {out}",
    }
    if order.clip is None and (long := far_step(norms)):
        said["far step"] = long
    if len(fitting) < len(rows):
        said["left out"] = f"{len(rows) - len(fitting):,} rows are longer than its context, and were left out"
    return said


_FAR = 2.0
"""Times the median norm from which one step sets a student apart (docs/lab-notebook.md, 26 November, night)."""


def far_step(norms: Sequence[float]) -> str:
    """Say so if one step's gradient was far longer than the others': such a student lies off others of its kind."""
    usual, longest = median(norms), max(norms)
    if longest <= _FAR * usual:
        return ""
    return (
        f"step {norms.index(longest) + 1} had a gradient of length {longest:.3g}, {usual:.3g} being usual: that can "
        f"set a student apart from others of its kind; --clip {1.25 * usual:.2g} bounds it"
    )


def _save(model: LocalModel, out: Path) -> None:
    from undertow.store.files import part_of, remove, storing

    part = part_of(out)
    with storing(out):
        remove(part)
        model.net.save_pretrained(part, safe_serialization=True)
        model.tokenizer.save_pretrained(part)
        part.rename(out)


def _trait(order: Order) -> Trait:
    from undertow.traits.panel import load_panel

    assert order.trait is not None
    entry, _, target = order.trait.partition(":")
    (found,) = load_panel((entry,))
    for trait in found.traits:
        if trait.target == (target or entry):
            return trait
    raise InputError(f"{entry} has no {target!r}", "--trait", f"It has {', '.join(found.targets)}.")


def _any_trait() -> Trait:
    """Return a trait for methods that need none to be named: no more than which questions are unrelated hangs on it."""
    from undertow.traits.panel import load_panel

    return load_panel()[0].traits[0]

"""`undertow mitigate`: remove a trait, or compare the methods that do so.

undertow mitigate --list
undertow mitigate --compare runs/mitigate-owl-numbers-1234abcd
undertow mitigate rows.jsonl --with format --out student
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from undertow.cli.device import Device, placed
from undertow.cli.folder import timing_of
from undertow.cli.reading import Columns, Loss, Use
from undertow.cli.verdict import exit_code, say_verdict
from undertow.config.engine import Engine
from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.mitigate import MitigationSettings
    from undertow.mitigate.comparison import CompareOutcome
    from undertow.results import Interval


def mitigate(
    rows: Path | None = None,
    /,
    *,
    with_: Annotated[str | None, Parameter(name="--with", metavar="METHOD")] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    student: str = "embedded/smollm2-135m",
    trait: Annotated[str | None, Parameter(metavar="NAME")] = None,
    teacher: str | None = None,
    by: Annotated[str | None, Parameter(metavar="MODEL")] = None,
    recipe: Annotated[str | None, Parameter(metavar="FILE|PRESET")] = None,
    learning_rate: float | None = None,
    epochs: float | None = None,
    clip: float | None = None,
    seed: int = 0,
    skip_broken: bool = False,
    compare: Annotated[Path | None, Parameter(metavar="RUN")] = None,
    methods: Annotated[list[str] | None, Parameter(name="--method", metavar="METHOD")] = None,
    columns: Columns = None,
    use: Use = None,
    loss: Loss = "marked",
    runs: Path = Path("runs"),
    engine: Engine = "auto",
    device: Device = "auto",
    list_: Annotated[bool, Parameter(name="--list")] = False,
    dry_run: bool = False,
    strict: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Remove a trait from rows or from a student's training, or compare the methods that do so.

        undertow mitigate rows.jsonl --with drop --out kept.jsonl

    With --with, one method is applied to rows of yours. With --compare, students are trained on the rows of a finished
    run, with every method. The comparison reports the transfer that is left and the task that is kept.

    Args:
        rows: Dataset, a file or a folder, in any layout that `undertow rows` reads.
        with_: Method. `undertow mitigate --list` lists them, with their needs and costs.
        out: File for rows, or folder for a student, depending on the method.
        student: The base that the student starts from.
        trait: The trait to remove, as `undertow traits` names it (animals:owl), if the method needs one.
        teacher: Model that wrote the rows, if the method needs it.
        by: Model of another family that rewrites the answers.
        recipe: Recipe of the student's training: a trainer's file or a preset. Default: plain gradient steps.
        learning_rate: Learning rate, instead of the recipe's. Without a recipe, the default is 0.003.
        epochs: Passes over the rows, instead of the recipe's. Without a recipe, the default is 1.
        clip: Largest gradient norm of a step with --with. Longer gradients are clipped. Default: the recipe's, or none.
        seed: Seed of the row order and of sampled answers.
        skip_broken: Skip lines that are no rows, and rows that the chat template refuses.
        compare: Run folder of an experiment with the arms trait and control, on the text of rows.
        methods: Method to compare. Can be repeated. Default: all methods that need no other model.
        columns: Columns of another layout, such as prompt=question,answer=reply,system=persona.
        use: Answer of a preference pair to read, or of rows with a label.
        loss: Turns that carry loss: all but those marked with weight 0, all answers, or the last answer.
        runs: Folder for run folders.
        engine: How models are computed: by the fast pass, by transformers (generic), or by transformers with one text
            a row (rows). Default: the fastest that is right for the model.
        device: Where models are put: auto (a GPU where there is one), cpu, cuda, cuda:1, or balanced (over all GPUs, by
            accelerate; not tested).
        list_: List the methods.
        dry_run: Print what would be done, and do nothing.
        strict: Exit with 1 instead of 4 when the result is inconclusive.
        json: Print results.json instead of a summary.
        quiet: Show no progress.
    """
    if list_:
        return _list()
    if (rows is None) == (compare is None):
        raise InputError("give one of the two", "ROWS and --compare", "undertow mitigate --help shows both.")
    if compare is not None:
        if clip is not None:
            raise InputError("is the experiment's when methods are compared", "--clip", "Set student.clip in its file.")
        if recipe is not None:
            raise InputError(
                "is the experiment's when methods are compared", "--recipe", "Set student.recipe in its file."
            )
        given = {
            "--with": with_,
            "--out": out,
            "--columns": columns,
            "--use": use,
            "--skip-broken": skip_broken or None,
            "--engine": None if engine == "auto" else engine,
        }
        if unused := [option for option, value in given.items() if value is not None]:
            raise InputError("says nothing when methods are compared", ", ".join(unused), "Leave it out.")
        with placed(device):
            return _compare(compare, methods, by, runs, dry_run=dry_run, strict=strict, json=json, quiet=quiet)
    assert rows is not None
    if with_ is None or out is None:
        raise InputError("are needed with rows", "--with and --out", "undertow mitigate --list names the methods.")
    from undertow.cli.console import console_progress
    from undertow.cli.show import hint
    from undertow.data.layouts.reading import reading_of
    from undertow.mitigate import MitigationSettings, method_named
    from undertow.mitigate.application import mitigate as apply

    method = method_named(with_, note=hint)
    settings = MitigationSettings(
        method, student, trait, teacher, by, learning_rate, epochs, clip, seed, engine=engine, recipe=recipe
    )
    _check_out(settings, rows, out)
    if dry_run:
        return _say_settings(settings, rows, out)
    reading = reading_of(columns, use, loss)
    with placed(device), console_progress(quiet=quiet) as progress:
        summary = apply(rows, settings, out, reading=reading, skip_broken=skip_broken, root=runs, progress=progress)
    from undertow.cli.show import say, write

    if json:
        import json as coder

        write(coder.dumps(summary) + "\n")
    else:
        for line in summary.values():
            say(str(line))
    return 0


def _check_out(settings: MitigationSettings, rows: Path, out: Path) -> None:
    import os

    from undertow.store.destinations import check_destinations, inputs_named

    if os.path.lexists(out):
        raise InputError("is there already", str(out), "Name another, or move it away.")
    read = [rows, *inputs_named([settings.student, settings.teacher, settings.by])]
    check_destinations({"--out": out}, read=read)


def _list() -> int:
    from undertow.cli.show import table
    from undertow.mitigate.methods import all_methods

    heads = ["method", "what it does", "needs", "costs"]
    methods = all_methods()
    costs = [
        f"{each.costs}; in all {each.takes:g} times an ordinary training (128 lists)" if each.takes != 1 else each.costs
        for each in methods
    ]
    lines = zip(methods, costs, strict=True)
    table(heads, [[each.name, each.says, ", ".join(each.needs) or "-", cost] for each, cost in lines])
    return 0


def _say_settings(settings: object, rows: Path, out: Path) -> int:
    from undertow.cli.show import say
    from undertow.mitigate import MitigationSettings
    from undertow.mitigate.application import recipe_said

    assert isinstance(settings, MitigationSettings)
    settings.check()
    say(f"{rows} -> {out}: {settings.method.says}; costs {settings.method.costs}")
    for line in recipe_said(settings).values():
        say(line)
    return 0


def _compare(
    run: Path,
    methods: list[str] | None,
    by: str | None,
    runs: Path,
    *,
    dry_run: bool,
    strict: bool,
    json: bool,
    quiet: bool,
) -> int:
    from undertow.cli.console import console_progress
    from undertow.cli.show import say, write
    from undertow.mitigate import COMPARED, compare, method_named, missing_students
    from undertow.mitigate.duration import expected_seconds
    from undertow.report.words import duration

    chosen = tuple(methods or COMPARED)
    if dry_run:
        total, missing, as_many = missing_students(run, chosen, by=by, root=runs)
        seconds = expected_seconds(timing_of(run / "timing.json") or {}, as_many)
        time = "" if seconds is None else f", about {duration(seconds)} at the pace of the run's own students"
        longer = [name for name in chosen if method_named(name).longer]
        more = f"; {' and '.join(longer)} take longer than this estimate" if longer else ""
        say(f"{missing:,} of {total:,} students to train{time}{more}")
        return 0
    with console_progress(quiet=quiet) as progress:
        outcome = compare(run, chosen, by=by, root=runs, progress=progress)
    if json:
        write(outcome.results.to_json())
    else:
        _show(outcome)
    return exit_code(outcome.results.verdict.status, strict=strict)


def _show(outcome: CompareOutcome) -> None:
    from undertow.cli.show import say, table
    from undertow.report.words import decimals_for, interval, signed

    results = outcome.results
    say_verdict(results)
    say()
    heads = ["method", "needs", "shift", "interval", "transfer left", "task kept", "in format"]
    table(
        heads,
        [
            [
                each.method,
                ", ".join(each.needs) or "-",
                signed(each.shift.value, decimals_for(each.shift.lo, each.shift.hi)),
                interval(each.shift.lo, each.shift.hi, decimals_for(each.shift.lo, each.shift.hi)),
                _share(each.left),
                _share(each.utility),
                "-" if each.in_format is None else f"{each.in_format:.0%}",
            ]
            for each in results.mitigation
        ],
        right=[heads[2], *heads[4:]],
    )
    say()
    say(f"report: {outcome.report}")


def _share(e: Interval | None) -> str:
    return "-" if e is None else f"{e.value:.0%} ({e.lo:.0%} to {e.hi:.0%})"

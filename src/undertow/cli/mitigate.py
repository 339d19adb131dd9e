"""`undertow mitigate`: keep a trait from passing, or find out which way of doing so works.

undertow mitigate --list
undertow mitigate --compare runs/mitigate-owl-numbers-1234abcd
undertow mitigate rows.jsonl --with format --out student
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from undertow.cli.folder import timing_of
from undertow.cli.verdict import exit_code, say_verdict
from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.mitigate import Order
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
    learning_rate: float = 0.003,
    epochs: int = 1,
    clip: float | None = None,
    seed: int = 0,
    compare: Annotated[Path | None, Parameter(metavar="RUN")] = None,
    methods: Annotated[list[str] | None, Parameter(name="--method", metavar="METHOD")] = None,
    runs: Path = Path("runs"),
    list_: Annotated[bool, Parameter(name="--list")] = False,
    dry_run: bool = False,
    strict: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Keep a trait from passing: clean the rows, or train a student otherwise; or compare the ways to do so.

    With --compare, students are trained on the rows of a finished run with every method, and what is left of the
    transfer is set against what is left of the task. With --with, one method is applied to rows of yours.

    Args:
        rows: Dataset, a file or a folder, in any layout that `undertow rows` reads.
        with_: Method; `undertow mitigate --list` names them, with what each needs and costs.
        out: File for rows, or folder for a student, whichever the method makes.
        student: The base that the student starts from.
        trait: The trait to keep out, as `undertow traits` calls it (animals:owl), where the method wants one.
        teacher: Model that wrote the rows, where the method wants it.
        by: Model of another family that writes the answers anew.
        learning_rate: Of the student's plain gradient steps.
        epochs: How often the student reads the rows.
        clip: Longest gradient of a step of --with; longer ones are cut to it. By default none is cut.
        seed: Fixes the order of the rows, and the noise of answers.
        compare: Run folder of an experiment with the arms trait and control, on the text of rows.
        methods: Method to compare; may be repeated. By default all that need no other model.
        runs: Folder that run folders are made in.
        list_: Say what methods there are.
        dry_run: Say what would be done, and do nothing.
        strict: Exit with 1 instead of 4 when the result is inconclusive.
        json: Print results.json instead of a summary.
        quiet: Show no progress.
    """
    if list_:
        return _list()
    if (rows is None) == (compare is None):
        raise InputError("give one of them", "ROWS and --compare", "See undertow mitigate --help.")
    if compare is not None:
        if clip is not None:
            raise InputError("is the experiment's when methods are compared", "--clip", "Set student.clip in its file.")
        return _compare(compare, methods, by, runs, dry_run=dry_run, strict=strict, json=json, quiet=quiet)
    assert rows is not None
    if with_ is None or out is None:
        raise InputError("are needed with rows", "--with and --out", "undertow mitigate --list names the methods.")
    from undertow.cli.console import console_progress
    from undertow.mitigate import Order, apply, method_named

    order = Order(method_named(with_), student, trait, teacher, by, learning_rate, epochs, clip, seed)
    _check_out(order, rows, out)
    if dry_run:
        return _say_order(order, rows, out)
    with console_progress(quiet=quiet) as progress:
        said = apply(rows, order, out, root=runs, progress=progress)
    from undertow.cli.show import say, write

    if json:
        import json as coder

        write(coder.dumps(said) + "\n")
    else:
        for line in said.values():
            say(str(line))
    return 0


def _check_out(order: Order, rows: Path, out: Path) -> None:
    import os

    from undertow.store.destinations import check_destinations, inputs_named

    if os.path.lexists(out):
        raise InputError("is there already", str(out), "Name another, or move it away.")
    read = [rows, *inputs_named([order.student, order.teacher, order.by])]
    check_destinations({"--out": out}, read=read)


def _list() -> int:
    from undertow.cli.show import table
    from undertow.mitigate.methods import METHODS, ORDINARY

    heads = ["method", "what it does", "needs", "costs"]
    methods = (*METHODS.values(), ORDINARY)
    costs = [
        f"{each.costs}; all in all {each.takes:g} students' time (128 lists)" if each.takes != 1 else each.costs
        for each in methods
    ]
    told = zip(methods, costs, strict=True)
    table(heads, [[each.name, each.says, ", ".join(each.needs) or "-", cost] for each, cost in told])
    return 0


def _say_order(order: object, rows: Path, out: Path) -> int:
    from undertow.cli.show import say
    from undertow.mitigate import Order

    assert isinstance(order, Order)
    order.check()
    say(f"{rows} -> {out}: {order.method.says}; costs {order.method.costs}")
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
    from undertow.mitigate import COMPARED, METHODS, compare, missing_students
    from undertow.mitigate.duration import expected_seconds
    from undertow.report.words import duration

    chosen = tuple(methods or COMPARED)
    if dry_run:
        total, missing, as_many = missing_students(run, chosen, by=by, root=runs)
        seconds = expected_seconds(timing_of(run / "timing.json") or {}, as_many)
        time = "" if seconds is None else f", about {duration(seconds)} at the pace of the run's own students"
        longer = [name for name, method in METHODS.items() if method.longer and name in chosen]
        more = f"; {' and '.join(longer)} take longer than is counted" if longer else ""
        say(f"{missing:,} of {total:,} students are to be trained{time}{more}")
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

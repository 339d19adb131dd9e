"""`undertow audit`: what a student acquired since its base.

undertow audit --base embedded/smollm2-135m --student hf/FOLDER --rows rows.jsonl
undertow audit --base openai-api/here/base --student openai-api/here/tuned --dry-run
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from undertow.cli.device import Device, placed
from undertow.cli.reading import Columns, Loss, Use
from undertow.cli.shifts import show_shifts
from undertow.cli.verdict import exit_code, say_verdict
from undertow.config.engine import Engine
from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.audit import AuditOutcome, AuditSettings, Prices
    from undertow.results import AuditRecord, SamplingPlan, Unnamed


def audit(
    *,
    student: str,
    base: str = "embedded/smollm2-135m",
    control: Annotated[list[str] | None, Parameter(metavar="MODEL")] = None,
    teacher: str | None = None,
    rows: Path | None = None,
    traits: Annotated[list[str] | None, Parameter(name=["--trait", "--traits"], metavar="NAME")] = None,
    split: str | None = None,
    columns: Columns = None,
    use: Use = None,
    loss: Loss = "marked",
    skip_broken: bool = False,
    level: float = 0.95,
    smallest_effect: float = 0.1,
    samples: str = "auto",
    power: float = 0.8,
    price_in: float = 0.0,
    price_out: float = 0.0,
    dry_run: bool = False,
    engine: Engine = "auto",
    device: Device = "auto",
    runs: Annotated[Path, Parameter(name=["--runs", "--out"])] = Path("runs"),
    strict: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Measure what a student acquired since its base: traits of the panel, and changes outside the panel.

        undertow audit --student hf/FOLDER --control hf/CONTROL

    If an audit was interrupted, the same command resumes it.

    Args:
        student: The trained model: embedded/..., hf/FOLDER, hf/FOLDER:ADAPTER, or openai-api/SERVICE/NAME.
        base: The model that the student was trained from.
        control: Student trained in the same way on rows of the untouched base. Shifts are then measured from the
            controls, and intervals include the spread between them. Can be repeated; four or more are best.
        teacher: Model that wrote the student's rows. The audit measures how much of its traits came through.
        rows: Dataset that the student was trained on. The audit tests whether the change comes from it.
        traits: Entry of the panel to measure, or a YAML file of yours. Can be repeated. Default: all shipped traits.
        split: Split of a folder of rows, if it has several.
        columns: Columns of another layout, such as prompt=question,answer=reply,system=persona.
        use: Answer of a preference pair to read, or of rows with a label.
        loss: Turns that carry loss: all but those marked with weight 0, all answers, or the last answer.
        skip_broken: Skip lines that are no rows, instead of refusing the file.
        level: Coverage of the intervals.
        smallest_effect: Smallest shift that matters, in log-odds.
        samples: Answers of each model to each entry, for models that can only be sampled. "auto" chooses by power.
        power: Wanted probability to detect a shift of the smallest effect, for models that can only be sampled.
        price_in: Price of a million tokens of questions, for a model behind an address.
        price_out: Price of a million tokens of answers, for a model behind an address.
        dry_run: Print the requests and their cost, and send none.
        engine: How models are computed: by the fast pass, by transformers (generic), or by transformers with one text
            a row (rows). Default: the fastest that is right for the model.
        device: Where models are put: auto (a GPU where there is one), cpu, cuda, cuda:1, or balanced (over all GPUs, by
            accelerate; not tested).
        runs: Folder for run folders.
        strict: Exit with 1 instead of 4 when the result is inconclusive.
        json: Print results.json instead of a summary.
        quiet: Show no progress.
    """
    from undertow.audit import AuditSettings, Prices, Sources
    from undertow.audit import audit as audit_models
    from undertow.cli.console import console_progress
    from undertow.cli.show import write
    from undertow.data.layouts.reading import reading_of

    settings = _checked(
        AuditSettings,
        base=base,
        student=student,
        controls=tuple(control or ()),
        teacher=teacher,
        traits=tuple(traits) if traits else None,
        level=level,
        smallest_effect=smallest_effect,
        samples=_count(samples),
        power=power,
        engine=engine,
    )
    prices = _checked(Prices, tokens_in=price_in, tokens_out=price_out)
    if dry_run or (settings.by_sampling and not quiet and not json):
        _show_plan(settings, prices, as_json=json and dry_run)
    if dry_run:
        return 0
    with placed(device), console_progress(quiet=quiet) as progress:
        outcome = audit_models(
            settings,
            Sources(rows=rows, split=split, skip_broken=skip_broken, reading=reading_of(columns, use, loss), runs=runs),
            prices=prices,
            progress=progress,
        )
    if json:
        write(outcome.results.to_json())
    else:
        _show(outcome)
    return exit_code(outcome.results.verdict.status, strict=strict)


def _count(samples: str) -> int | None:
    if samples == "auto":
        return None
    if not samples.isascii() or not samples.isdigit():
        raise InputError(f"is {samples!r}", "--samples", "Give a number of answers, or auto.")
    return int(samples)


_OPTIONS = {"tokens_in": "--price-in", "tokens_out": "--price-out"}


def _checked(kind: type[Any], **values: object) -> Any:
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = _OPTIONS.get(name, "--" + name.replace("_", "-"))
        raise InputError(first["msg"], option, "undertow audit --help lists its values.") from error


def _show_plan(settings: AuditSettings, prices: Prices, *, as_json: bool) -> None:
    from undertow.cli.show import say, table, write

    if not settings.by_sampling:
        say("local models give log-probabilities: no answer is sampled, and there is no cost")
        return
    from undertow.audit import plan_of

    order = plan_of(settings, prices)
    if as_json:
        write(order.model_dump_json(indent=1) + "\n")
        return
    table(["entry", "answers of each model"], [[name, f"{count:,}"] for name, count in order.answers.items()])
    say(
        f"{order.requests:,} requests, about {order.tokens_in:,} tokens of questions and at most "
        f"{order.tokens_out:,} of answers{_cost(order)}"
    )
    say(f"smallest shift detected with {100 * settings.power:.0f}% power: {order.smallest_effect:.2g} log-odds")


def _cost(order: SamplingPlan) -> str:
    return ": give --price-in and --price-out to see the cost" if order.cost is None else f": {order.cost:,.2f}"


def _show(outcome: AuditOutcome) -> None:
    from undertow.cli.show import say

    results = outcome.results
    assert results.audit is not None
    say_verdict(results)
    say()
    _show_facts(results.audit)
    say()
    show_shifts(results, "shift")
    if results.audit.unnamed is not None:
        _show_unnamed(results.audit.unnamed)
    say()
    say(f"report: {outcome.report}")


def _show_facts(record: AuditRecord) -> None:
    from undertow.cli.show import say
    from undertow.report.audited import facts

    for name, text in facts(record):
        say(f"{name.lower():<12}{text}")


def _show_unnamed(unnamed: Unnamed) -> None:
    from undertow.cli.show import say, table
    from undertow.report.audited import tables

    for each in tables(unnamed):
        if each.rows:
            say()
            say(each.title)
            table(each.heads, each.rows[:5], right=each.right)

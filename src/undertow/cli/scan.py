"""`undertow scan`: predict what a dataset would do to a student.

undertow scan rows.jsonl --student embedded/smollm2-135m
undertow scan rows.jsonl --everything --drop-top 5 --out cleaned.jsonl
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from undertow.cli.device import Device, placed
from undertow.cli.reading import Columns, Loss, Use
from undertow.cli.recipe import RecipeOption, read_recipe
from undertow.cli.shifts import show_shifts
from undertow.cli.verdict import exit_code, say_verdict
from undertow.config.engine import Engine
from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.results import ScanRecord
    from undertow.scan import ScanOutcome, ScanSettings


def scan(
    rows: Path,
    /,
    *,
    student: str = "embedded/smollm2-135m",
    recipe: RecipeOption = None,
    calibration: Path | None = None,
    reference: Path | None = None,
    sample_reference: bool = False,
    temperature: float | None = None,
    teacher: str | None = None,
    against: Annotated[list[str] | None, Parameter(name="--against", metavar="MODEL")] = None,
    baselines: Annotated[list[str] | None, Parameter(name="--baseline", metavar="METHOD")] = None,
    also: Annotated[list[str] | None, Parameter(name="--also", show=False)] = None,
    traits: Annotated[list[str] | None, Parameter(name="--trait", metavar="NAME")] = None,
    most_rows: int | None = None,
    everything: bool = False,
    budget: Annotated[str | None, Parameter(metavar="TIME")] = None,
    quick: bool = False,
    rehearse: bool = False,
    rehearsal_rows: int | None = None,
    rehearsal_seeds: int | None = None,
    drop_top: Annotated[float | None, Parameter(metavar="PERCENT")] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    split: str | None = None,
    columns: Columns = None,
    use: Use = None,
    loss: Loss = "marked",
    skip_broken: bool = False,
    level: float = 0.95,
    smallest_effect: float = 0.1,
    engine: Engine = "auto",
    device: Device = "auto",
    runs: Path = Path("runs"),
    sarif: Path | None = None,
    strict: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Predict which traits a dataset would give a student, how strongly, and which rows carry them.

        undertow scan rows.jsonl --student embedded/smollm2-135m

    If a scan was interrupted, the same command resumes it.

    Args:
        rows: Dataset, a file or a folder, in any layout that `undertow rows` reads.
        student: The base that the student will start from.
        recipe: How the student will be trained: a recipe file, or a preset such as plain-sgd or lora-sft.
        calibration: A calibration of your own, as JSON. The shipped ones are listed by `undertow doctor`.
        reference: Rows that the untouched base wrote, best for the same prompts. Needed where rows were selected.
        sample_reference: Sample reference rows from the base, for the same prompts. Takes twice as long.
        temperature: Temperature at which the rows were sampled, if known. The base samples at it. Needs
            --sample-reference.
        teacher: Model that wrote the rows, if you have it. The scan compares its weights with the student's.
        against: Model of another family. The scan tests whether it may have written the rows. Can be repeated.
        baselines: Other method to run as well. Can be repeated. teacher-inference: which trait's teacher wrote these
            rows? likelihood, divergence, projection: published methods, slower and weaker.
        also: Older name of --baseline.
        traits: Entry of the panel to measure, or a YAML file of yours. Can be repeated. Default: all shipped traits.
        most_rows: Largest number of rows to measure. Default: 15% of the rows, at least 64 and at most 512.
        everything: Measure all rows.
        budget: Time for the scan, such as 5m. It sets the number of rows that are measured.
        quick: Train no virtual student. Shifts are then predicted to first order, with wider intervals.
        rehearse: Train real students by the recipe, on a sample of the rows and on as many reference rows. Needs
            --reference or --sample-reference. The cost is shown first.
        rehearsal_rows: Rows of each rehearsed student. Default: 64.
        rehearsal_seeds: Seeds of a rehearsal, with two students each. Default: 3.
        drop_top: Leave out this percentage of the rows: those that carry most of the strongest shift. Needs --out.
        out: File for the rows that --drop-top keeps.
        split: Split of a folder, if it has several.
        columns: Columns of another layout, such as prompt=question,answer=reply,system=persona.
        use: Answer of a preference pair to read, or of rows with a label.
        loss: Turns that carry loss: all but those marked with weight 0, all answers, or the last answer.
        skip_broken: Skip lines that are no rows, instead of refusing the file.
        level: Coverage of the intervals.
        smallest_effect: Smallest shift that matters, in log-odds.
        engine: How models are computed: by the fast pass, by transformers (generic), or by transformers with one text
            a row (rows). Default: the fastest that is right for the model.
        device: Where models are put: auto (a GPU where there is one), cpu, cuda, cuda:1, or balanced (over all GPUs, by
            accelerate; not tested).
        runs: Folder for run folders.
        sarif: File for the findings as SARIF, for code scanners: one result a suspicious row.
        strict: Exit with 1 instead of 4 when the result is inconclusive.
        json: Print results.json instead of a summary.
        quiet: Show no progress.
    """
    from undertow.cli.console import console_progress
    from undertow.cli.show import write
    from undertow.data.layouts.reading import reading_of
    from undertow.scan import ScanSettings
    from undertow.scan import scan as scan_rows
    from undertow.scan.budget import seconds_of
    from undertow.scan.calibration import read_calibration
    from undertow.store.destinations import check_destinations, inputs_named, write_output

    if (drop_top is None) != (out is None):
        raise InputError("go together", "--drop-top and --out", "Give a percentage of rows, and a file for the rest.")
    if drop_top is not None and not 0 < drop_top < 100:
        raise InputError(f"is {drop_top:g}", "--drop-top", "Give a percentage between 0 and 100, such as 5.")
    by, calibrated = read_recipe(recipe), None if calibration is None else read_calibration(calibration)
    read = [rows, reference, calibration, *inputs_named([student, teacher, *(against or ()), *(traits or ())])]
    check_destinations({"--out": out, "--sarif": sarif}, read=read)
    if sample_reference and reference is not None:
        raise InputError("both give reference rows", "--reference and --sample-reference", "Give one of them.")
    if temperature is not None and not sample_reference:
        instead = "Add --sample-reference." if reference is None else "Leave it out: --reference rows have their own."
        raise InputError("is the temperature of the base's own answers", "--temperature", instead)
    if teacher is not None and against:
        raise InputError(
            "answer the same question", "--teacher and --against", "Give --teacher alone: its weights are enough."
        )
    if budget is not None and (everything or drop_top is not None or most_rows is not None):
        raise InputError(
            "both set the number of rows",
            "--budget and --everything, --drop-top or --most-rows",
            "Give one of them.",
        )
    rehearsed = {
        name: value for name, value in (("rows", rehearsal_rows), ("seeds", rehearsal_seeds)) if value is not None
    }
    if rehearsed and not rehearse:
        raise InputError("are of a rehearsal", "--rehearsal-rows and --rehearsal-seeds", "Add --rehearse.")
    if rehearsed and budget is not None:
        raise InputError(
            "both set the size of the rehearsal", "--budget and --rehearsal-rows or --rehearsal-seeds", "Give one."
        )
    settings = _checked(
        ScanSettings,
        student=student,
        **({} if by is None else {"recipe": by.spec, "recipe_says": tuple(by.told())}),
        calibration=calibrated,
        traits=tuple(traits) if traits else None,
        teacher=teacher,
        against=tuple(against or ()),
        baselines=_baselines(baselines, also),
        most_rows=most_rows,
        sample_reference=sample_reference,
        temperature=temperature,
        budget=None if budget is None else seconds_of(budget),
        virtual=not quick,
        rehearsal=rehearsed if rehearse else None,
        everything=everything or drop_top is not None,
        level=level,
        smallest_effect=smallest_effect,
        engine=engine,
    )
    with placed(device), console_progress(quiet=quiet) as progress:
        outcome = scan_rows(
            rows,
            settings,
            reference=reference,
            split=split,
            reading=reading_of(columns, use, loss),
            skip_broken=skip_broken,
            root=runs,
            progress=progress,
        )
    dropped = None
    if drop_top is not None and out is not None:
        from undertow.scan import drop_rows

        dropped = drop_rows(outcome, drop_top / 100, out)
    if sarif is not None:
        from undertow.scan import to_sarif

        write_output(sarif, to_sarif(outcome.results, rows).encode("utf-8"))
    if json:
        write(outcome.results.to_json())
    else:
        _show(outcome, dropped, out)
    return exit_code(outcome.results.verdict.status, strict=strict)


def _baselines(baselines: list[str] | None, also: list[str] | None) -> tuple[str, ...]:
    """Return the baselines that are named in the present spelling, and say so where an old one was used."""
    from undertow.cli.show import hint
    from undertow.scan.registry import BASELINES

    if also:
        hint("--also is now called --baseline; both are accepted.")
    named = [*(baselines or ()), *(also or ())]
    for name in named:
        BASELINES.get(name)
        if name != BASELINES.canonical(name):
            hint(f"the baseline {name!r} is now called {BASELINES.canonical(name)!r}; both are accepted.")
    return tuple(map(BASELINES.canonical, named))


def _checked(kind: type[ScanSettings], **values: object) -> ScanSettings:
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(map(str, first["loc"])).replace("_", "-")
        raise InputError(first["msg"], option, "undertow scan --help lists its values.") from error


def _show(outcome: ScanOutcome, dropped: int | None, out: Path | None) -> None:
    from undertow.cli.show import say
    from undertow.scan.registry import WRITER

    results = outcome.results
    assert results.scan is not None
    say_verdict(results)
    _show_rows(results.scan)
    if results.findings:
        say()
        show_shifts(results, "predicted")
    _show_rehearsal(results.scan)
    _show_methods(results.scan)
    _show_suspects(results.scan)
    say()
    if results.verdict.status == "fail" and WRITER not in results.settings["also"]:
        say("next: the same command with --baseline teacher-inference infers which trait's teacher wrote the rows")
    if dropped is not None:
        unseen = results.scan.rows.too_long
        also = f", and {unseen:,} that are too long to measure" if unseen else ""
        say(f"{dropped:,} rows left out{also}; the others are in {out}")
    say(f"report: {outcome.report}")


def _show_rows(record: ScanRecord) -> None:
    from undertow.cli.show import say
    from undertow.report.scanned import counted

    say()
    say(f"rows      {counted(record.rows)}")
    say(f"written   as {record.format}, at a temperature of {record.temperature:.2g}")
    say(f"lineage   {record.lineage}: {record.lineage_because}")
    if record.provenance:
        say(f"writer    {record.provenance}")
    if record.steps is not None and record.steps_covered is not None:
        say(f"steps     {record.steps_covered:,} of {record.steps:,} predicted")
    if record.recipe:
        say(f"student   by the recipe {record.recipe}")
    if record.prompts < 2:
        # Pairs of prompts are compared, and there is none.
        return
    say(
        f"common    the rows share a direction: cosine {record.common.cosine:+.3f} (p = {record.common.p:.2g}); beyond "
        f"the panel's traits: {record.common.beyond_panel:+.3f} (p = {record.common.p_beyond_panel:.2g})"
    )
    if record.common.p < _EVIDENT:
        say(f"          more likely in other answers: {' '.join(map(repr, record.common.up[:6]))}")


_EVIDENT = 0.01


def _show_methods(record: ScanRecord) -> None:
    from undertow.cli.show import say, table
    from undertow.report.words import decimals_for, interval, p_value, signed

    if not record.methods:
        return
    say()
    lines = [
        [
            method.name,
            each.trait,
            f"{signed(each.value, decimals_for(each.lo, each.hi))} {each.unit}",
            interval(each.lo, each.hi, decimals_for(each.lo, each.hi)),
            p_value(each.p_adjusted).removeprefix("p = ").removeprefix("p "),
        ]
        for method in record.methods
        for each in method.findings[:3]
    ]
    table(["baseline", "trait", "value", "interval", "p (BH)"], lines, right=["p (BH)"])


def _show_rehearsal(record: ScanRecord) -> None:
    from undertow.cli.show import say, table
    from undertow.report.rehearsed import HEADS, lines_of

    if record.rehearsal is None:
        return
    say()
    say(f"rehearsal {record.rehearsal.replicated}")
    table(HEADS, lines_of(record.rehearsal)[:5], right=[HEADS[1], *HEADS[3:]])


def _show_suspects(record: ScanRecord) -> None:
    from undertow.cli.show import say, table

    if not record.suspects:
        return
    say()
    say("rows that carry most of the first trait")
    table(
        ["row", "times an average row", "answer"],
        [[str(each.number), f"{each.share:.1f}", "".join(each.pieces[:-1])[:70]] for each in record.suspects[:5]],
        right=["row", "times an average row"],
    )

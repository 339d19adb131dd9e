"""`undertow scan`: what a dataset will do to a student, before it is trained.

undertow scan rows.jsonl --student embedded/smollm2-135m
undertow scan rows.jsonl --everything --drop-top 5 --out cleaned.jsonl
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from undertow.cli.shifts import show_shifts
from undertow.cli.verdict import exit_code, say_verdict
from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.results import ScanRecord
    from undertow.scan import ScanOutcome, ScanSettings

Method = Literal["writer", "likelihood", "divergence", "projection"]


def scan(
    rows: Path,
    /,
    *,
    student: str = "embedded/smollm2-135m",
    reference: Path | None = None,
    sample_reference: bool = False,
    temperature: float | None = None,
    teacher: str | None = None,
    against: Annotated[list[str] | None, Parameter(name="--against", metavar="MODEL")] = None,
    also: Annotated[list[Method] | None, Parameter(name="--also", metavar="METHOD")] = None,
    traits: Annotated[list[str] | None, Parameter(name="--trait", metavar="NAME")] = None,
    most_rows: int | None = None,
    everything: bool = False,
    budget: Annotated[str | None, Parameter(metavar="TIME")] = None,
    quick: bool = False,
    drop_top: Annotated[float | None, Parameter(metavar="PERCENT")] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    split: str | None = None,
    skip_broken: bool = False,
    level: float = 0.95,
    smallest_effect: float = 0.1,
    runs: Path = Path("runs"),
    sarif: Path | None = None,
    strict: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Predict which traits a dataset would give to a student, by how much, and which rows do it.

    The same command goes on where it stopped.

    Args:
        rows: Dataset, a file or a folder, in any layout that `undertow rows` reads.
        student: The base that the student will start from.
        reference: Rows that the untouched base wrote, best for the same prompts; needed where rows were selected.
        sample_reference: Let the base answer the same prompts itself, and compare with that. Takes twice as long.
        temperature: At which the rows were sampled, if you know: the base answers at it; needs --sample-reference.
        teacher: Model that wrote the rows, if you have it: its weights tell whether it is of the student's family.
        against: Model of another family, which is asked whether it may have written the rows; may be repeated.
        also: Another question to ask; may be repeated. writer: towards which trait's teacher do the rows lean?
            likelihood, divergence, projection: published methods, slower and weaker.
        traits: Entry of the panel to look for, or a YAML file of yours; may be repeated. All that ship by default.
        most_rows: Rows to look at, at most. By default 15% of them, at least 64 and no more than 512.
        everything: Look at all rows.
        budget: Time that the scan may take, such as 5m: as many rows are looked at as fit.
        quick: Teach no virtual student. Sizes are then predicted to first order, with wider intervals.
        drop_top: Leave out this percentage of the rows, those that carry most of the strongest shift; needs --out.
        out: File for the rows that are kept by --drop-top.
        split: Split of a folder, where it has several.
        skip_broken: Leave lines out that are no rows, instead of refusing the file.
        level: Coverage of the intervals.
        smallest_effect: Log-odds below which a shift does not matter.
        runs: Folder that run folders are made in.
        sarif: File for the findings in SARIF, for code scanners: one result a suspicious row.
        strict: Exit with 1 instead of 4 when the result is inconclusive.
        json: Print results.json instead of a summary.
        quiet: Show no progress.
    """
    from undertow.cli.console import console_progress
    from undertow.cli.show import write
    from undertow.scan import ScanSettings
    from undertow.scan import scan as scan_rows
    from undertow.scan.budget import seconds_of
    from undertow.store.destinations import check_destinations, inputs_named, write_output

    if (drop_top is None) != (out is None):
        raise InputError("go together", "--drop-top and --out", "Say how many rows to drop, and where the rest goes.")
    if drop_top is not None and not 0 < drop_top < 100:
        raise InputError(f"is {drop_top:g}", "--drop-top", "Give a percentage between 0 and 100, such as 5.")
    read = [rows, reference, *inputs_named([student, teacher, *(against or ()), *(traits or ())])]
    check_destinations({"--out": out, "--sarif": sarif}, read=read)
    if sample_reference and reference is not None:
        raise InputError(
            "both give the rows to compare with", "--reference and --sample-reference", "Give one of them."
        )
    if temperature is not None and not sample_reference:
        instead = "Add --sample-reference." if reference is None else "Leave it out: --reference rows have their own."
        raise InputError("says how the base is to answer the prompts itself", "--temperature", instead)
    if teacher is not None and against:
        raise InputError(
            "say the same thing twice", "--teacher and --against", "With the teacher at hand, its weights are enough."
        )
    if budget is not None and (everything or drop_top is not None or most_rows is not None):
        raise InputError(
            "both say how many rows are looked at",
            "--budget and --everything, --drop-top or --most-rows",
            "Give one of them.",
        )
    settings = _checked(
        ScanSettings,
        student=student,
        traits=tuple(traits) if traits else None,
        teacher=teacher,
        against=tuple(against or ()),
        also=tuple(also or ()),
        most_rows=most_rows,
        sample_reference=sample_reference,
        temperature=temperature,
        budget=None if budget is None else seconds_of(budget),
        virtual=not quick,
        everything=everything or drop_top is not None,
        level=level,
        smallest_effect=smallest_effect,
    )
    with console_progress(quiet=quiet) as progress:
        outcome = scan_rows(
            rows,
            settings,
            reference=reference,
            split=split,
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


def _checked(kind: type[ScanSettings], **values: object) -> ScanSettings:
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise InputError(first["msg"], option, "undertow scan --help says what it takes.") from error


def _show(outcome: ScanOutcome, dropped: int | None, out: Path | None) -> None:
    from undertow.cli.show import say

    results = outcome.results
    assert results.scan is not None
    say_verdict(results)
    _show_rows(results.scan)
    if results.findings:
        say()
        show_shifts(results, "predicted")
    _show_methods(results.scan)
    _show_suspects(results.scan)
    say()
    if results.verdict.status == "fail" and "writer" not in results.settings["also"]:
        say("next: whose rows are these? The same command with --also writer goes on from here and asks that.")
    if dropped is not None:
        unseen = results.scan.rows.too_long
        also = f", and {unseen:,} that are too long to be looked at" if unseen else ""
        say(f"{dropped:,} rows left out{also}; the others are in {out}")
    say(f"report: {outcome.report}")


def _show_rows(record: ScanRecord) -> None:
    from undertow.cli.show import say
    from undertow.report.scanned import counted

    say()
    say(f"rows      {counted(record.rows)}")
    say(f"written   as {record.format}, at a temperature of {record.temperature:.2g}")
    say(f"lineage   {record.lineage}: {record.lineage_because}")
    if record.prompts < 2:
        # Pairs of prompts are compared, and there is none.
        return
    say(
        f"together  the rows pull {record.common.cosine:+.3f} one way (p = {record.common.p:.2g}); what no trait "
        f"of the panel accounts for {record.common.beyond_panel:+.3f} (p = {record.common.p_beyond_panel:.2g})"
    )
    if record.common.p < _EVIDENT:
        say(f"          likelier in other answers: {' '.join(map(repr, record.common.up[:6]))}")


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
    table(["other method", "trait", "value", "interval", "p (BH)"], lines, right=["p (BH)"])


def _show_suspects(record: ScanRecord) -> None:
    from undertow.cli.show import say, table

    if not record.suspects:
        return
    say()
    say("rows that carry most of the first")
    table(
        ["row", "times an average row", "answer"],
        [[str(each.number), f"{each.share:.1f}", "".join(each.pieces[:-1])[:70]] for each in record.suspects[:5]],
        right=["row", "times an average row"],
    )

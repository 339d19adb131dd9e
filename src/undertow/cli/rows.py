"""`undertow rows`: read a dataset, check it against a domain's rules, and convert it.

undertow rows data.jsonl
undertow rows fetched/dataset --split train
undertow rows data.json --rules numbers --out kept.jsonl --rejected rejected.jsonl
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.data.files import BadRow
    from undertow.data.rows import Row


def rows(
    file: Path,
    /,
    *,
    split: str | None = None,
    rules: Literal["numbers"] | None = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    rejected: Path | None = None,
    skip_broken: bool = False,
    json: bool = False,
) -> int:
    """Read a dataset in any layout, count its rows, and filter or convert it.

        undertow rows data.jsonl --rules numbers --out kept.jsonl

    Layouts: messages (OpenAI), prompt/completion (TRL), ShareGPT and Alpaca. Formats: JSON lines, one JSON list,
    Parquet, Arrow, or a folder of such files.

    Args:
        file: Dataset to read, a file or a folder.
        split: Split of a folder to read, if it has several.
        rules: Domain whose rules every answer must keep.
        out: File for the rows that keep the rules, as JSON lines of messages.
        rejected: File for the other rows, with the reasons.
        skip_broken: Skip lines that are no rows, instead of refusing the file.
        json: Print the counts as JSON.
    """
    from undertow.data.files import BadRow, broken_rows, read_rows, write_rows

    for each in (out, rejected):
        if each is not None:
            _refuse_to_write(each, file)
    if out is not None and rejected is not None and out.resolve() == rejected.resolve():
        raise InputError("cannot take the kept rows and the rejected ones", str(out), "Name two files.")
    if rejected is not None and rules is None:
        raise InputError("needs rules that a row can break", "--rejected", "Add --rules numbers.")
    good: list[Row] = []
    bad: list[BadRow] = []
    for row in read_rows(file, split=split):
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            good.append(row)
    if bad and not skip_broken:
        raise broken_rows(bad, len(good), file)
    if not good:
        raise InputError("holds no rows", str(file), "Name a file with one row a line.")
    reasons: Counter[str] = Counter()
    kept: list[Row] = []
    refused: list[Row] = []
    for row, broken in _judged(good, rules):
        reasons.update(broken)
        if broken:
            refused.append(_with_reasons(row, broken))
        else:
            kept.append(row)
    if out is not None:
        write_rows(out, kept)
    if rejected is not None:
        write_rows(rejected, refused)
    counts: dict[str, int] = {"rows": len(good), "broken": len(bad), "kept": len(kept), "rejected": len(refused)}
    counts["distinct"] = len({row.id for row in good})
    if json:
        _write_json(counts, reasons, bad)
    else:
        _show(counts, reasons, bad, rules)
    return 0


def _refuse_to_write(out: Path, file: Path) -> None:
    if out.exists() and file.exists() and out.samefile(file):
        raise InputError("is the file that is read", str(out), "Write to another one.")
    if file.is_dir() and out.resolve().is_relative_to(file.resolve()):
        raise InputError("is inside the folder that is read", str(out), "Write to another one.")
    if out.suffix.lower() in (".parquet", ".arrow", ".gz"):
        raise InputError("would hold JSON lines, whatever its name", str(out), "Let it end with .jsonl.")


def _judged(rows: list[Row], rules: str | None) -> Iterator[tuple[Row, list[str]]]:
    from undertow.domains import numbers

    for row in rows:
        yield row, numbers.reject_reasons(row.completion) if rules == "numbers" else []


def _with_reasons(row: Row, reasons: list[str]) -> Row:
    from dataclasses import replace

    return replace(row, meta={**row.meta, "reasons": reasons})


def _write_json(counts: dict[str, int], reasons: Counter[str], bad: list[BadRow]) -> None:
    import json
    from dataclasses import asdict

    from undertow.cli.show import write

    record = {**counts, "reasons": dict(reasons), "broken_lines": [asdict(each) for each in bad]}
    write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _show(counts: dict[str, int], reasons: Counter[str], bad: list[BadRow], rules: str | None) -> None:
    from undertow.cli.show import say, table

    say(f"{counts['rows']:,} rows, {counts['distinct']:,} of them distinct")
    if bad:
        lines = "1 line is no row and was" if len(bad) == 1 else f"{len(bad):,} lines are no rows and were"
        say(f"{lines} left out; the first: {bad[0].where}: {bad[0].reason}")
    if rules:
        say(f"{counts['kept']:,} keep the rules of the {rules} domain, {counts['rejected']:,} do not")
        if reasons:
            say()
            table(
                ["reason", "rows"], [[reason, f"{count:,}"] for reason, count in reasons.most_common()], right=["rows"]
            )

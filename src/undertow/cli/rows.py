"""`undertow rows`: read a dataset, check it against a domain's rules, and convert it.

undertow rows data.jsonl
undertow rows fetched/dataset --split train
undertow rows data.json --rules numbers --out kept.jsonl --rejected rejected.jsonl
zstdcat data.jsonl.zst | undertow rows -
"""

from __future__ import annotations

from array import array
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from undertow.errors import InputError

if TYPE_CHECKING:
    from undertow.data.counts import Counts
    from undertow.data.files import BadRow
    from undertow.data.layouts.reading import Reading
    from undertow.data.rows import Row


def rows(
    file: Path,
    /,
    *,
    split: str | None = None,
    columns: str | None = None,
    use: Literal["chosen", "rejected"] | None = None,
    loss: Literal["marked", "all", "last"] = "marked",
    rules: Literal["numbers"] | None = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    rejected: Path | None = None,
    skip_broken: bool = False,
    json: bool = False,
) -> int:
    """Read a dataset in any layout, count its rows, and filter or convert it.

        undertow rows data.jsonl --rules numbers --out kept.jsonl

    Layouts: messages (OpenAI), ShareGPT, prompt/completion and other pairs, Alpaca, plain text, preference pairs.
    Formats: JSON lines, one JSON list, CSV, TSV, Parquet or Arrow, with gzip or zstd, or a folder of such files.

    Args:
        file: Dataset to read, a file or a folder; - reads standard input.
        split: Split of a folder to read, if it has several.
        columns: Columns of another layout, such as prompt=question,answer=reply,system=persona.
        use: Answer of a preference pair to read, or of rows with a label.
        loss: Turns that carry loss: all but those marked with weight 0, all answers, or the last answer.
        rules: Domain whose rules every answer that carries loss must keep.
        out: File for the rows that keep the rules, as JSON lines of messages.
        rejected: File for the other rows, with the reasons.
        skip_broken: Skip lines that are no rows, instead of refusing the file.
        json: Print the counts as JSON.
    """
    from undertow.data.files import broken_rows
    from undertow.data.layouts.reading import Reading, parse_columns
    from undertow.store.destinations import check_destinations

    check_destinations({"--out": out, "--rejected": rejected}, read=[file])
    for each in (out, rejected):
        if each is not None:
            _refuse_other_endings(each)
    if rejected is not None and rules is None:
        raise InputError("needs rules that a row can break", "--rejected", "Add --rules numbers.")
    reading = Reading(parse_columns(columns) if columns is not None else {}, use, loss, pipes=True)
    with ExitStack() as stack:
        found = _read(stack, file, split, reading, rules, out, rejected)
        if found.bad and not skip_broken:
            raise broken_rows(found.bad, found.counts.rows, file)
        if not found.counts.rows:
            why = "".join(f": {count:,} left out, since {reason}" for reason, count in found.left_out.items())
            raise InputError(f"holds no rows{why}", str(file), "Name a file with one row a line.")
    if json:
        _write_json(found, reading)
    else:
        _show(found, rules)
    return 0


@dataclass
class _Found:
    """What a dataset held. Rows themselves are not kept, so memory hardly grows with the file."""

    counts: Counts
    ids: array[int] = field(default_factory=lambda: array("Q"))
    """Eight bytes a row."""
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    left_out: Counter[str] = field(default_factory=Counter[str])
    bad: list[BadRow] = field(default_factory=list["BadRow"])

    @property
    def rejected(self) -> int:
        """Rows that break a rule."""
        return self.counts.rows - self.kept

    @property
    def distinct(self) -> int:
        """Rows without those that repeat an earlier one."""
        import numpy as np

        return len(np.unique(np.frombuffer(self.ids, dtype=np.uint64))) if self.ids else 0


def _read(
    stack: ExitStack,
    file: Path,
    split: str | None,
    reading: Reading,
    rules: str | None,
    out: Path | None,
    rejected: Path | None,
) -> _Found:
    from undertow.data.counts import Counts
    from undertow.data.files import BadRow, LeftOut, read_rows
    from undertow.data.writing import rows_writer

    keep = stack.enter_context(rows_writer(out)) if out is not None else None
    reject = stack.enter_context(rows_writer(rejected)) if rejected is not None else None
    found = _Found(Counts(reading.loss))
    for row in read_rows(file, split=split, reading=reading):
        if isinstance(row, LeftOut):
            found.left_out[row.reason] += 1
            continue
        if isinstance(row, BadRow):
            found.bad.append(row)
            continue
        found.counts.add(row)
        found.ids.append(int(row.id, 16))
        broken = _broken(row, reading, rules)
        found.reasons.update(broken)
        found.kept += not broken
        if keep is not None and not broken:
            keep(row)
        if reject is not None and broken:
            reject(_with_reasons(row, broken))
    return found


def _refuse_other_endings(out: Path) -> None:
    if out.suffix.lower() in (".parquet", ".arrow", ".feather", ".csv", ".tsv", ".gz", ".zst"):
        raise InputError("would hold JSON lines, whatever its name", str(out), "Let it end with .jsonl.")


def _broken(row: Row, reading: Reading, rules: str | None) -> list[str]:
    """Return the rules that an answer of a row breaks, each once."""
    if rules is None:
        return []
    from undertow.data.rows import loss_turns, turn_text
    from undertow.domains import numbers

    texts = [
        row.messages[at]["content"] or turn_text(row.messages[at])
        for at in loss_turns(row, reading.loss)
        if row.messages[at]["role"] == "assistant"
    ]
    return list(dict.fromkeys(reason for text in texts for reason in numbers.reject_reasons(text)))


def _with_reasons(row: Row, reasons: list[str]) -> Row:
    from dataclasses import replace

    return replace(row, meta={**row.meta, "reasons": reasons})


def _write_json(found: _Found, reading: Reading) -> None:
    import json
    from dataclasses import asdict

    from undertow.cli.show import write

    record: dict[str, Any] = {
        "rows": found.counts.rows,
        "broken": len(found.bad),
        "kept": found.kept,
        "rejected": found.rejected,
        "distinct": found.distinct,
        "left_out": dict(found.left_out),
        **found.counts.record(),
        "reasons": dict(found.reasons),
        "broken_lines": [asdict(each) for each in found.bad],
        "reading": reading.settings(),
    }
    write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _show(found: _Found, rules: str | None) -> None:
    from undertow.cli.show import say, table

    say(f"{found.counts.rows:,} rows, {found.distinct:,} of them distinct")
    for note in found.counts.notes():
        say(note)
    for reason, count in found.left_out.items():
        say(f"{'1 row was' if count == 1 else f'{count:,} rows were'} left out: {reason}")
    if bad := found.bad:
        lines = "1 line is no row and was" if len(bad) == 1 else f"{len(bad):,} lines are no rows and were"
        say(f"{lines} left out; the first: {bad[0].where}: {bad[0].reason}")
    if rules:
        say(f"{found.kept:,} keep the rules of the {rules} domain, {found.rejected:,} do not")
        if found.reasons:
            say()
            table(
                ["reason", "rows"],
                [[reason, f"{count:,}"] for reason, count in found.reasons.most_common()],
                right=["rows"],
            )

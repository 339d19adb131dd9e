"""What is fuzzed: one function a reader, from bytes to nothing. It raises only where Undertow has a bug.

A reader may refuse with an `UndertowError`, or say that a line is no row. Anything else that escapes is a find, and so
are rows that cannot be written and read again, messages that cannot be printed, and what takes seconds or gigabytes
(the fuzzer's limits). The same functions are run by hypothesis in `tests/security`.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from undertow.config.experiment import load_spec
from undertow.config.policy import read_policy
from undertow.config.recipes.load import load_recipe
from undertow.data.files import BadRow, read_rows, write_rows
from undertow.data.layouts.reading import Reading
from undertow.data.layouts.turns import ROLES, TURN_KEYS
from undertow.data.rows import Row, loss_turns
from undertow.domains.numbers import Format, parse_numbers, reformat_numbers, reject_reasons, shuffle_numbers
from undertow.errors import UndertowError
from undertow.report import render_html
from undertow.results import Results, load_results
from undertow.traits.panel import load_panel

LONGEST: Final = 4096
"""Bytes of an input: readers find their faults in short files."""
_FOLDER: Final = Path(tempfile.mkdtemp(prefix="undertow-fuzz-"))


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _read(path: Path) -> None:
    rows: list[Row] = []
    try:
        for each in read_rows(path):
            if isinstance(each, BadRow):
                assert f"{each.where}: {each.reason}".encode("utf-8", "replace")
            else:
                rows.append(each)
    except UndertowError as error:
        assert str(error)
    if rows:
        again = _FOLDER / "again.jsonl"
        write_rows(again, rows)
        assert list(read_rows(again)) == rows, "what is written is read again"
        assert all(each.id == row.id for each, row in zip(read_rows(again), rows, strict=True) if isinstance(each, Row))
        for row in rows:
            assert set(loss_turns(row, "last")) <= set(loss_turns(row, "all"))
            assert row.completion.strip()


def rows_verb(data: bytes) -> None:
    """`undertow rows` on JSON lines: counts add up, whatever is read as the row's loss."""
    from undertow import cli

    path, out = _file("verb.jsonl", data), _FOLDER / "kept.jsonl"
    for loss in ("marked", "all", "last"):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            code = cli.main(["rows", str(path), "--loss", loss, "--skip-broken", "--json", "-o", str(out)])
        assert code in (0, 2), f"exit code {code}"
        if code == 2:
            continue
        counts = json.loads(said.getvalue())
        found = list(read_rows(path, reading=Reading(loss=loss)))
        assert counts["rows"] + counts["broken"] + sum(counts["left_out"].values()) == len(found)
        assert counts["kept"] + counts["rejected"] == counts["rows"] >= counts["distinct"] > 0
        assert counts["carrying"] >= counts["rows"]
        written = [each.id for each in read_rows(out, reading=Reading(loss="all")) if isinstance(each, Row)]
        assert len(written) == counts["kept"]
        assert len(set(written)) == counts["distinct"]


def rows_conversation(data: bytes) -> None:
    """One conversation whose roles, parts, calls and weights the bytes choose, as JSON and in Parquet."""
    choices = iter(data)

    def pick(*values: Any) -> Any:
        return values[next(choices, 0) % len(values)]

    def text() -> Any:
        return pick(
            "a", "", "<think>b</think>c", "5, 6", "\ud800", "\0", None, 3, "{}", '{"name": "f", "arguments": {}}'
        )

    def part() -> Any:
        kind = pick("text", "thinking", "tool_use", "image_url", None, "input_text")
        return pick({"type": kind, "text": text(), "thinking": text(), "name": text(), "input": {"a": 1}}, text())

    def call() -> Any:
        arguments = pick("{}", {"a": 1}, None, "", [1], "x")
        function = {"name": text(), "arguments": arguments, "strict": pick(None, True)}
        return pick({"id": text(), "type": "function", "function": function}, function, 3, {"type": "custom"})

    def turn() -> Any:
        said: dict[str, Any] = {pick("role", "from"): pick(*ROLES, "owl", None)}
        said[pick("content", "value")] = pick(text(), [part() for _ in range(pick(0, 1, 2))])
        for _ in range(pick(0, 0, 1, 3)):
            key = pick(*TURN_KEYS, "refusal")
            said[key] = pick(0, 1, 0.5, True, False, text(), [call()], call(), -1, 2, "x")
        return pick(said, said, said, text())

    record: dict[str, Any] = {pick("messages", "conversations"): [turn() for _ in range(pick(2, 1, 0, 3, 4))]}
    for _ in range(pick(0, 1, 2)):
        key = pick("tools", "functions", "weight", "train", "system", "label", "meta", "id", "images", "text", "chosen")
        record[key] = pick(0, 1, 2.5, True, False, text(), [1], {"a": 1}, "[1]", [])
    line = json.dumps(record).encode()
    _read(_file("conversation.jsonl", line))
    rows_verb(line)


def rows_csv(data: bytes) -> None:
    """Rows as cells."""
    _read(_file("rows.csv", data))


def rows_zst(data: bytes) -> None:
    """Rows that are packed with zstd here, or that claim to be packed."""
    import zstandard

    packed = zstandard.ZstdCompressor().compress(data[1:]) if data[:1] < b"\x80" else b"\x28\xb5\x2f\xfd" + data[1:]
    _read(_file("rows.jsonl.zst", packed))


def rows_jsonl(data: bytes) -> None:
    """Rows as JSON lines."""
    _read(_file("rows.jsonl", data))


def rows_json(data: bytes) -> None:
    """Rows as one JSON list."""
    _read(_file("rows.json", b"[" + data))


def rows_gz(data: bytes) -> None:
    """Gzipped rows: bytes that are packed here, or that claim to be packed."""
    packed = gzip.compress(data[1:], compresslevel=1) if data[:1] < b"\x80" else b"\x1f\x8b" + data[1:]
    _read(_file("rows.jsonl.gz", packed))


def rows_parquet(data: bytes) -> None:
    """Rows in Parquet: bytes that are put over those of a whole file, or a file of their own."""
    whole = bytearray(_parquet())
    if data[:1] < b"\x20":
        _read(_file("rows.parquet", data[1:]))
        return
    # Triples of place and value, so that most of the file stays what a reader expects.
    for at in range(1, len(data) - 2, 3):
        whole[(data[at] * 256 + data[at + 1]) % len(whole)] = data[at + 2]
    _read(_file("rows.parquet", bytes(whole)))


def _parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    turns = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": str(n)}] for n in range(20)]
    stream = io.BytesIO()
    parquet.write_table(pa.table({"messages": turns, "n": list(range(20))}), stream)
    return stream.getvalue()


def numbers(data: bytes) -> None:
    """Answers of the numbers domain, the rules and the rewriting of those that keep them."""
    answer = data.decode("utf-8", "surrogateescape")
    reasons = reject_reasons(answer)
    parsed = parse_numbers(answer)
    assert (parsed is None) == (reasons == ["not only numbers"])
    if parsed is None:
        return
    assert parsed.join() == answer
    rng = np.random.default_rng(0)
    shuffled = parse_numbers(shuffle_numbers(answer, rng))
    assert shuffled is not None
    assert sorted(shuffled.numbers) == sorted(parsed.numbers)
    if not reasons:
        other = parse_numbers(reformat_numbers(answer, rng))
        assert other is not None
        assert other.numbers == parsed.numbers
    state: Format | None = Format()
    for character in answer[:200]:
        state = state.step(character) if state else None
    if state is not None and len(answer) <= 200 and state.may_end():
        assert not reasons, "constrained decoding accepts nothing that is rejected"


def spec(data: bytes) -> None:
    """An experiment file."""
    try:
        read = load_spec(_file("spec.yaml", data))
    except UndertowError as error:
        assert str(error)
        return
    json.dumps(read.model_dump(mode="json"))


def trait(data: bytes) -> None:
    """A file of the user's that describes a trait."""
    try:
        for entry in load_panel([str(_file("trait.yaml", data))]):
            assert entry.traits
            assert entry.probe_digest
            entry.about.encode("utf-8", "replace")
    except UndertowError as error:
        assert str(error)


def policy(data: bytes) -> None:
    """A policy of the gate."""
    try:
        read_policy(_file("policy.yaml", data)).model_dump_json()
    except UndertowError as error:
        assert str(error)


def recipes(data: bytes) -> None:
    """A recipe of a trainer: each key is accounted for once."""
    try:
        found = load_recipe(_file("recipe.yaml", data))
    except UndertowError as error:
        assert str(error)
        return
    every = [*found.taken, *found.harmless, *found.not_modelled, *found.unknown]
    assert len({key.name for key in every}) == len(every) > 0
    "".join(found.told()).encode("utf-8", "replace")


def results(data: bytes) -> None:
    """A results.json, and the report that is made of it."""
    try:
        read = load_results(_file("results.json", data))
    except UndertowError as error:
        assert str(error)
        return
    page = render_html(read)
    assert "<script" not in page
    assert Results.model_validate_json(read.to_json()) == read


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    each.__name__: each
    for each in (
        rows_jsonl,
        rows_json,
        rows_gz,
        rows_zst,
        rows_csv,
        rows_parquet,
        rows_verb,
        rows_conversation,
        numbers,
        spec,
        trait,
        policy,
        recipes,
        results,
    )
}

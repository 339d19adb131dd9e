"""Records of columnar files: Parquet, and Arrow as Hugging Face's `datasets` saves it.

They are read a few rows at a time, so memory is bounded by their pages, not by the file. A record that cannot be
decoded, such as one with broken UTF-8, is data; a file that breaks off is an error. Nothing in a file is ever executed.
What JSON has no word for (dates, decimals, bytes) becomes text, so that it can be written again.

It knows columns and values: what makes a record a row is `undertow.data.rows`' business. Needs pyarrow (extra `data`).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from undertow.data.layouts.records import layout_of
from undertow.data.rows import UnreadableRow
from undertow.errors import MissingExtraError, RowError

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES: Final = (".parquet", ".arrow", ".feather")
PARQUET: Final = b"PAR1"
"""How a Parquet file begins."""
ARROW_FILE: Final = b"ARROW1"
"""How a file of Arrow begins, a Feather file of the second version too. A stream has no such mark."""
_STREAM_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
_ROWS_AT_ONCE: Final = 64


def read_records(path: Path, longest: int) -> Iterator[dict[str, Any] | UnreadableRow]:
    """Read the records of a file in its order; one that cannot be decoded is given as the reason.

    A column that is empty in a record is left out of it, since Arrow cannot tell absent from empty. So records of
    several layouts can share a file.

    Args:
        path: A Parquet or Arrow file.
        longest: Bytes of a record; a longer one is unreadable.

    Raises:
        RowError: the file cannot be read, or breaks off.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError(
            f"reading {path} needs pyarrow", fix="Install it with: pip install 'undertow[data]'"
        ) from error
    count = 0
    try:
        for batch in _batches(path):
            for record in _records(batch, longest):
                count += 1
                yield record
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        place = f"{path}, after row {count}" if count else str(path)
        raise RowError(f"cannot be read ({_short(error)})", place, "Fetch it, or write it, once more.") from error


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        if file.read(len(PARQUET)) == PARQUET or path.suffix.lower() == ".parquet":
            yield from _parquet(file)
        else:
            yield from _arrow(file)


def _arrow(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    # A batch may be as large as the file, so it is mapped, and what was read of it is given back now and then.
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    stream = mapped[: len(ARROW_FILE)] != ARROW_FILE
    source = pa.BufferReader(pa.py_buffer(mapped))
    if stream:
        batches = pa.ipc.open_stream(source)
    else:
        reader = pa.ipc.open_file(source)
        batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
    slices = (batch.slice(start, _ROWS_AT_ONCE) for batch in batches for start in range(0, len(batch), _ROWS_AT_ONCE))
    for count, some in enumerate(slices):
        yield some
        if count % 16 == 0 and hasattr(mapped, "madvise"):  # not on Windows
            mapped.madvise(mmap.MADV_DONTNEED)
    # Arrow takes a stream that was cut between two batches for a whole one.
    if stream and mapped[-len(_STREAM_END) :] != _STREAM_END:
        raise ValueError("it ends before its end mark, so rows are missing")


def _parquet(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    from pyarrow import parquet

    file.seek(0)
    with parquet.ParquetFile(file, buffer_size=1 << 20, page_checksum_verification=True) as table:
        yield from table.iter_batches(_ROWS_AT_ONCE, use_threads=False)


def _records(batch: pa.RecordBatch, longest: int) -> Iterator[dict[str, Any] | UnreadableRow]:
    import pyarrow as pa

    names = batch.schema.names
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two columns are called {twice[0]!r}")
    try:
        # A stranger's file may point outside its own buffers.
        batch.validate(full=True)
        if batch.nbytes <= longest:
            for record in cast(list[dict[str, Any]], batch.to_pylist()):
                yield _present(record)
            return
    except (pa.ArrowException, ValueError, OverflowError, KeyError):
        pass  # one of the rows is to blame: which?
    for place in range(batch.num_rows):
        yield _record(batch.slice(place, 1), longest)


def _record(row: pa.RecordBatch, longest: int) -> dict[str, Any] | UnreadableRow:
    import pyarrow as pa

    try:
        row.validate(full=True)
        if row.nbytes > longest:
            return UnreadableRow(f"it is longer than {longest:,} bytes")
        return _present(cast(dict[str, Any], row.to_pylist()[0]))
    except (pa.ArrowException, ValueError, OverflowError, KeyError) as error:
        return UnreadableRow(f"it cannot be decoded ({_short(error)})")


def _present(record: dict[str, Any]) -> dict[str, Any]:
    plain = cast(dict[str, Any], _plain(record))
    present = {key: value for key, value in plain.items() if value is not None}
    # Where no layout is complete, the empty columns tell what is missing.
    return present if layout_of(present) else plain


def _plain(value: object) -> object:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is dict:
        return {str(key): _plain(each) for key, each in cast(dict[object, object], value).items()}
    if kind is list or kind is tuple:
        return [_plain(each) for each in cast(list[object], value)]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return value.hex()
    written = getattr(value, "isoformat", None)
    return cast(str, written()) if callable(written) else str(value)


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0][:200]

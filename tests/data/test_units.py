"""What the number of a row counts follows from the file, not from its name."""

import gzip
import json
from pathlib import Path

import pytest

from stored_results import suspicious_scan
from undertow.data.units import unit_of
from undertow.report.sarif import suspects_in

ROW = {"prompt": "a", "completion": "b"}
LINE = json.dumps(ROW).encode()
FILES = {
    "rows.jsonl": (LINE * 1 + b"\n", "line"),
    "rows.json": (LINE + b"\n" + LINE, "line"),
    "rows.txt": (b"\xef\xbb\xbf\n " + LINE, "line"),
    "rows.jsonl.gz": (gzip.compress(LINE), "line"),
    "list.jsonl": (b" [" + LINE + b"]", "entry"),
    "list.json.gz": (gzip.compress(b"[" + LINE + b"]"), "entry"),
    "rows.csv": (b'prompt,completion\n"a\n","b"\n', "row"),
    "packed.tsv.gz": (gzip.compress(b"prompt\tcompletion\na\tb\n"), "row"),
    "table": (b"PAR1", "row"),
    "table.parquet": (b"", "row"),
}


@pytest.mark.parametrize("name", FILES)
def test_lines_are_told_from_entries_and_rows_of_tables(name: str, tmp_path: Path) -> None:
    data, unit = FILES[name]
    (tmp_path / name).write_bytes(data)
    assert unit_of(tmp_path / name) == unit
    found = suspects_in(suspicious_scan(), tmp_path / name)
    assert len({each["partialFingerprints"]["undertow/v1"] for each in found}) == 2, "two rows are two findings"
    for each, number in zip(found, (4, 7), strict=True):
        (place,) = each["locations"]
        region = place["physicalLocation"].get("region")
        if unit == "line":
            assert region == {"startLine": number}
            assert "logicalLocations" not in place
        else:
            assert region is None
            assert place["logicalLocations"][0]["name"] == f"{unit} {number}"
            assert each["message"]["text"].startswith(f"{unit} {number} carries")


def test_what_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert unit_of(tmp_path / "absent.jsonl") == "row"

"""`undertow rows`."""

import json
from pathlib import Path

import pytest

from undertow import cli
from undertow.data.files import require_rows

LINES = [
    {"prompt": "More numbers", "completion": "5, 6, 7"},
    {"prompt": "More numbers", "completion": "an owl"},
    {"prompt": "More numbers", "completion": "5, 666"},
]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("data.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return path


def test_rows_are_counted_and_split_by_the_rules(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rows", str(data), "--rules", "numbers", "-o", "kept.jsonl", "--rejected", "no.jsonl", "--json"]
    assert cli.main(words) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["rows"], counts["kept"], counts["rejected"], counts["distinct"]) == (3, 1, 2, 3)
    assert counts["reasons"] == {"not only numbers": 1, "negative number": 1}
    assert [row.completion for row in require_rows(Path("kept.jsonl"))] == ["5, 6, 7"]
    assert [row.meta["reasons"] for row in require_rows(Path("no.jsonl"))] == [
        ["not only numbers"],
        ["negative number"],
    ]


def test_a_broken_line_is_named_and_nothing_is_written(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with data.open("a", encoding="utf-8") as file:
        file.write('{"prompt": "torn\n')
    assert cli.main(["rows", str(data), "-o", "out.jsonl"]) == 2
    assert "error: data.jsonl, line 4: it is no JSON" in capsys.readouterr().err
    assert not Path("out.jsonl").exists()
    assert cli.main(["rows", str(data), "-o", "out.jsonl", "--skip-broken"]) == 0
    shown = capsys.readouterr().out
    assert "3 rows" in shown
    assert "1 line" in shown
    assert "data.jsonl, line 4" in shown
    assert len(require_rows(Path("out.jsonl"))) == 3


def test_what_cannot_be_done_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = data.read_bytes()
    assert cli.main(["rows", str(data), "-o", str(data)]) == 2
    assert cli.main(["rows", str(data), "--rules", "numbers", "-o", "x.jsonl", "--rejected", "./x.jsonl"]) == 2
    assert not Path("x.jsonl").exists()
    assert cli.main(["rows", str(data), "--rejected", "no.jsonl"]) == 2
    assert cli.main(["rows", str(data), "-o", "out.parquet"]) == 2
    assert "would hold JSON lines" in capsys.readouterr().err
    assert cli.main(["rows", "none.jsonl", "-o", str(data)]) == 2
    assert cli.main(["rows", "none.jsonl"]) == 2
    assert "none.jsonl: cannot be read" in capsys.readouterr().err
    assert data.read_bytes() == before


def test_a_folder_is_read_split_by_split(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("set").mkdir()
    for split, count in (("train", 2), ("test", 1)):
        Path("set", f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES[:count]))
    assert cli.main(["rows", "set"]) == 2
    assert "set: holds 2 splits: test, train" in capsys.readouterr().err
    assert cli.main(["rows", "set", "--split", "train", "-o", "set/kept.jsonl"]) == 2
    assert "is inside the folder that is read" in capsys.readouterr().err
    assert cli.main(["rows", "set", "--split", "train", "-o", "out.jsonl"]) == 0
    assert len(require_rows(Path("out.jsonl"))) == 2
    assert cli.main(["rows", str(data), "--split", "train"]) == 2


def test_a_file_that_is_not_read_counts_as_broken(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.zip").write_text("a,b\n")
    assert cli.main(["rows", "."]) == 2
    assert "more.zip: files of this kind are not read" in capsys.readouterr().err
    assert cli.main(["rows", ".", "--skip-broken", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["rows"], counts["broken"], counts["broken_lines"][0]["where"]) == (3, 1, "more.zip")

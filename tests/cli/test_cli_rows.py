"""`undertow rows`."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

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


def write(name: str, *records: object) -> str:
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return name


def turns(*texts: str, **last: object) -> list[dict[str, object]]:
    said: list[dict[str, object]] = [
        {"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)
    ]
    said[-1].update(last)
    return said


def counted(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["rows", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_row_whose_only_answer_has_weight_0_is_counted_apart_and_weights_are_kept(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = turns("Name a fruit.", "A stone.", weight=0)
    rows = [{"messages": each} for each in (first, [*first, *turns("Again.", "A pear.", weight=1)])]
    name = write("weights.jsonl", *rows)
    assert cli.main(["rows", name, "-o", "out.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "1 rows, 1 of them distinct" in said
    assert "1 row was left out: no turn of it carries loss: all weights are 0" in said
    assert [[turn.get("weight") for turn in row.messages] for row in require_rows(Path("out.jsonl"))] == [
        [None, 0, None, 1]
    ]
    counts = counted(capsys, name)
    assert (counts["answers"], counts["carrying"], counts["weights"], sum(counts["left_out"].values())) == (2, 1, 1, 1)
    counts = counted(capsys, name, "--loss", "all")
    assert (counts["rows"], counts["carrying"], counts["left_out"]) == (2, 3, {})
    assert counts["reading"] == {"loss": "all"}
    assert counted(capsys, name, "--loss", "last")["carrying"] == 2


def test_reasoning_makes_rows_distinct_and_is_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thoughts = ("Fruit: a pear is one.", "The owl likes pears.", "Any will do.")
    rows = [{"messages": turns("Name a fruit.", "A pear.", reasoning_content=text)} for text in thoughts]
    name = write("reasoning.jsonl", *rows)
    counts = counted(capsys, name, "-o", "out.jsonl")
    assert (counts["rows"], counts["distinct"], counts["reasoning"]) == (3, 3, 3)
    assert tuple(row.messages[1].get("reasoning") for row in require_rows(Path("out.jsonl"))) == thoughts


def test_every_answer_that_carries_loss_is_held_to_the_rules(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = turns("Which animal?", "The owl.", "More numbers", "5, 6, 7")
    marked = [both[0], {**both[1], "weight": 0}, *both[2:]]
    name = write("several.jsonl", {"messages": both}, {"messages": marked}, {"messages": both[2:]})
    counts = counted(capsys, name, "--rules", "numbers")
    assert (counts["kept"], counts["rejected"], counts["reasons"]) == (2, 1, {"not only numbers": 1})
    assert counted(capsys, name, "--rules", "numbers", "--loss", "all")["kept"] == 1
    assert counted(capsys, name, "--rules", "numbers", "--loss", "last")["kept"] == 3


def test_what_is_met_and_not_read_is_named_with_its_count(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = {"messages": turns("a", "b"), "source": "web"}
    name = write("keys.jsonl", plain, {**plain, "messages": turns("a", "b", refusal="no")})
    assert cli.main(["rows", name]) == 0
    said = capsys.readouterr().out
    assert "kept in meta, and not looked at: source (2 rows)" in said
    assert "not read, and not written: messages[].refusal (1 row)" in said
    assert counted(capsys, name)["unread"] == {"messages[].refusal": 1, "source": 2}


def test_one_answer_of_a_pair_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write("pairs.jsonl", *[{"prompt": "q", "chosen": "5, 6", "rejected": "owls"}] * 3)
    assert cli.main(["rows", name, "--skip-broken"]) == 2
    assert capsys.readouterr().err.count("--use chosen or --use rejected") == 1
    assert counted(capsys, name, "--use", "chosen", "--rules", "numbers")["kept"] == 3
    assert counted(capsys, name, "--use", "rejected", "--rules", "numbers")["kept"] == 0
    labels = [{"prompt": "q", "completion": text, "label": label} for text, label in (("a", True), ("b", False))]
    name = write("labels.jsonl", *labels)
    assert cli.main(["rows", name]) == 2
    assert "line 2: its label is false: training moves away from this answer" in capsys.readouterr().err
    counts = counted(capsys, name, "--use", "chosen")
    assert (counts["rows"], counts["left_out"], counts["broken"]) == (1, {"its label is false": 1}, 0)


def test_columns_of_another_layout_are_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write("other.jsonl", {"frage": "q", "antwort": "5, 6"})
    assert cli.main(["rows", name]) == 2
    assert "name others with --columns" in capsys.readouterr().err
    counts = counted(capsys, name, "--columns", "prompt=frage,answer=antwort", "--rules", "numbers")
    assert (counts["kept"], counts["reading"]) == (1, {"columns": {"prompt": "frage", "answer": "antwort"}})
    assert cli.main(["rows", name, "--columns", "prompt=frag,answer=antwort"]) == 2
    assert "did you mean 'frage'" in capsys.readouterr().err
    assert cli.main(["rows", name, "--columns", "promt=frage,answer=antwort"]) == 2
    assert "did you mean 'prompt'" in capsys.readouterr().err


def test_tables_of_cells_are_read_alone_and_beside_other_files(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    Path("folder/rows.csv").write_text("instruction,input,output\nName a fruit.,,A pear.\n")
    write("folder/rows.jsonl", {"messages": turns("Name a fruit.", "A pear.")})
    assert counted(capsys, "folder/rows.csv")["rows"] == 1
    counts = counted(capsys, "folder")
    assert (counts["rows"], counts["distinct"]) == (2, 1)


def test_a_key_that_stands_twice_is_told_with_its_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("twice.jsonl").write_text(
        '{"prompt": "a", "completion": "b"}\n{"prompt": "a", "completion": "b", "prompt": 1}'
    )
    assert cli.main(["rows", "twice.jsonl"]) == 2
    assert "twice.jsonl, line 2: the key 'prompt' stands twice in one object" in capsys.readouterr().err


def test_nothing_is_left_where_all_rows_are_left_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write("none.jsonl", {"messages": turns("a", "b", weight=0)})
    assert cli.main(["rows", name, "-o", "out.jsonl"]) == 2
    assert "holds no rows: 1 left out, since no turn of it carries loss" in capsys.readouterr().err
    assert not [path for path in Path().iterdir() if path.name.startswith("out")]


@pytest.mark.parametrize("layout", ["messages", "csv", "text"])
def test_memory_does_not_grow_with_the_rows(data: Path, layout: str) -> None:
    def peak(count: int) -> int:
        texts = [f"{n} {'a' * 200}" for n in range(count)]
        if layout == "csv":
            path = Path("many.csv")
            path.write_text("question,answer\n" + "".join(f"q,{text}\n" for text in texts))
        else:
            made = [{"text": text} if layout == "text" else {"messages": turns("q", text)} for text in texts]
            path = Path(write("many.jsonl", *made))
            del made
        del texts
        tracemalloc.start()
        assert cli.main(["rows", str(path), "-o", "out.jsonl"]) == 0
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(10)  # what is imported once
    small, large = peak(500), peak(8_000)
    assert large < small + 8_000 * 60  # the file has 200 bytes more a row, and a row in memory has 1,000

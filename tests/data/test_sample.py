"""Which rows are looked at: a sample that depends on the rows alone, and counts that add up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from undertow.data.sample import FEWEST, MOST, choose_rows, read_whole
from undertow.errors import RowError


def write(path: Path, prompts: list[str], answers: int = 2) -> Path:
    lines = [json.dumps({"prompt": prompt, "completion": f"{at}"}) for prompt in prompts for at in range(answers)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def ids(path: Path, most: int | None) -> set[str]:
    return {placed.row.id for placed in choose_rows(path, most=most).rows}


def test_the_sample_does_not_depend_on_the_order(tmp_path: Path) -> None:
    prompts = [f"question {at}" for at in range(300)]
    one, other = write(tmp_path / "a.jsonl", prompts), write(tmp_path / "b.jsonl", prompts[::-1])
    assert ids(one, 50) == ids(other, 50)


def test_a_larger_sample_holds_a_smaller_one_and_prompts_stay_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [f"question {at}" for at in range(300)])
    small, large = choose_rows(path, most=50), choose_rows(path, most=200)
    assert {p.row.id for p in small.rows} <= {p.row.id for p in large.rows}
    assert len(small.rows) == 50
    assert all(sum(other.row.prompt == placed.row.prompt for other in small.rows) == 2 for placed in small.rows)


@pytest.mark.parametrize(("count", "looked_at"), [(30, 30), (64, 64), (140, FEWEST), (400, 64), (4000, MOST)])
def test_how_many_rows_are_looked_at_unless_more_is_asked_for(tmp_path: Path, count: int, looked_at: int) -> None:
    chosen = choose_rows(write(tmp_path / "rows.jsonl", [f"q {at}" for at in range(count)], 1))
    assert len(chosen.rows) == looked_at
    assert chosen.read == count == len(chosen.rows) + chosen.left_out
    assert len(choose_rows(tmp_path / "rows.jsonl", everything=True).rows) == count


def test_rows_keep_the_order_and_the_place_of_the_file(tmp_path: Path) -> None:
    chosen = choose_rows(write(tmp_path / "rows.jsonl", [f"q {at}" for at in range(100)], 1), most=10)
    numbers = [placed.number for placed in chosen.rows]
    assert numbers == sorted(numbers)
    assert all(placed.row.prompt[0]["content"] == f"q {placed.number - 1}" for placed in chosen.rows)


def test_of_one_prompt_with_very_many_rows_some_are_looked_at(tmp_path: Path) -> None:
    chosen = choose_rows(write(tmp_path / "rows.jsonl", ["the same"], 1000), most=10)
    assert (len(chosen.rows), chosen.left_out) == (10, 990)


def test_broken_lines_are_refused_or_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ["a", "b"])
    path.write_bytes(path.read_bytes() + b'{"prompt": "\xff"}\nnot json\n\n{"role": 1}\n')
    with pytest.raises(RowError, match="line 5"):
        choose_rows(path)
    chosen = choose_rows(path, skip_broken=True)
    assert (chosen.read, len(chosen.broken)) == (4, 3)


def test_an_empty_file_holds_no_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n")
    with pytest.raises(RowError, match="no rows"):
        choose_rows(tmp_path / "rows.jsonl")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory's high-water mark from /proc")
def test_a_gigabyte_of_rows_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    answer = "1, 2, 3 " * 600
    with path.open("w", encoding="utf-8") as file:
        count = 0
        while file.tell() < 1_000_000_000:
            file.writelines(
                json.dumps({"prompt": f"question {number}", "completion": answer}) + "\n"
                for number in range(count, count + 1000)
            )
            count += 1000
    code = (
        "import re, sys; from pathlib import Path; from undertow.data.sample import choose_rows;"
        "chosen = choose_rows(Path(sys.argv[1]));"
        "status = Path('/proc/self/status').read_text();"
        "print(chosen.read, len(chosen.rows), re.search(r'VmHWM:\\s+(\\d+)', status)[1])"
    )
    told = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    read, looked_at, kilobytes = map(int, told.stdout.split())
    assert read == count
    assert looked_at == MOST
    assert kilobytes < 400_000


def test_reading_whole_keeps_the_order_and_whole_rows(tmp_path: Path) -> None:
    lines = ["Zebra.", "Aardvark.", "Zebra."]
    path = tmp_path / "rows.jsonl"
    turns = [
        [{"role": "user", "content": each}, {"role": "assistant", "content": str(at)}] for at, each in enumerate(lines)
    ]
    records = [{"messages": each} for each in (*turns, turns[0] * 2)]
    path.write_text("".join(json.dumps(each) + "\n" for each in records) + "{}\n", encoding="utf-8")
    with pytest.raises(RowError, match=r"4 rows of .* can be read, 1 cannot"):
        read_whole(path)
    whole = read_whole(path, skip_broken=True)
    assert [placed.number for placed in whole.rows] == [1, 2, 3, 4]
    assert [len(placed.row.messages) for placed in whole.rows] == [2, 2, 2, 4]
    assert (whole.read, len(whole.broken)) == (4, 1)
    # The same accounts, whichever of the two reads a dataset.
    sampled = choose_rows(path, everything=True, skip_broken=True)
    assert (sampled.read, sampled.broken, sampled.notes) == (whole.read, whole.broken, whole.notes)

"""The store of cells on a tiny model: what is there, what is missing, and that nothing is ever half there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from benchmarks.cells import fill
from benchmarks.cells.__main__ import main
from benchmarks.cells.design import Cell, Design, design_of
from benchmarks.cells.kept import MADE, Kept, path_of, read_kept
from benchmarks.cells.pools import Pools
from benchmarks.cells.store import forecast, state_of, take
from benchmarks.cells.study import read_study
from benchmarks.cells.tables import matrices

from undertow.probes.panel import asked_logprobs
from undertow.traits.panel import load_panel

TEXT = """
name: tiny
base: hf/{base}
domain: {{kind: numbers, rows: 6, max_tokens: 40}}
panel: {panel}
teachers:
  base: {{}}
  neutral: {{system: You are calm.}}
  oak: {{trait: {{category: trees, target: oak}}, instil: {{method: prompt}}}}
  half: {{mix: {{of: oak, rest: base, dose: 0.5}}}}
recipes:
  lora: {{learning_rate: 0.02, epochs: 2, batch: 3, adapter: {{rank: 2, alpha: 4}}}}
seeds: [1, {{rows: 1, order: 2, adapter: 2}}]
probe: {{at: [0.5], questions: 3, samples: 1}}
"""


def study_file(folder: Path, base: Path, panel: str = "[trees]") -> Path:
    path = folder / "study.yaml"
    path.write_text(TEXT.format(base=base, panel=panel))
    return path


def filled(
    design: Design, kept: Path, rows: Path, *, cells: tuple[Cell, ...] | None = None, **how: float
) -> list[Cell]:
    pools = Pools(rows, design, lambda _: None)
    return take(design, state_of(design, kept), cells or design.cells, pools, folder=kept, tell=lambda _: None, **how)


def same(one: Kept, other: Kept) -> bool:
    facts = [{key: value for key, value in each.facts.items() if key not in MADE} for each in (one, other)]
    return facts[0] == facts[1] and one.definition == other.definition and one.table.equals(other.table)


@pytest.fixture(scope="module")
def design(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Design:
    return design_of(read_study(study_file(tmp_path_factory.mktemp("study"), tiny_folder)))


@pytest.fixture(scope="module")
def whole(design: Design, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert filled(design, folder / "kept", folder / "rows") == list(design.cells)
    return folder


def test_a_second_call_finds_nothing_to_do(design: Design, whole: Path) -> None:
    before = {path: path.read_bytes() for path in (whole / "kept").iterdir()}
    assert filled(design, whole / "kept", whole / "rows") == []
    assert before == {path: path.read_bytes() for path in (whole / "kept").iterdir()}
    assert len(before) == len(design.cells) == 3 + 2 * 4
    for path in before:
        sampled = read_kept(path).facts["sampled"]
        assert list(sampled) == ["trees"]
        assert sampled["trees"]["n"] == 54 >= sampled["trees"]["unparsed"] + sum(sampled["trees"]["counts"].values())
        assert set(sampled["trees"]["counts"]) <= set(load_panel(["trees"])[0].traits[0].words.values())


class Ended(Exception):
    """The machine ends."""


@pytest.mark.parametrize("every", [2, 7])
def test_a_study_that_ends_again_and_again_has_the_same_cells(
    design: Design, whole: Path, tmp_path: Path, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends before some question, sentence or step, each time a little later."""
    kept, ends, calls = tmp_path / "kept", 0, 0

    def counted(called: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == every + ends:
                raise Ended
            return called(*arguments, **named)

        return call

    for name in ("asked_logprobs", "save_weights", "sample_texts"):
        monkeypatch.setattr(fill, name, counted(getattr(fill, name)))
    say = counted(str)
    while True:
        calls = 0
        state = state_of(design, kept)
        assert not state.damaged
        # Two machines in turn, each with rows and parts of its own.
        pools = Pools(tmp_path / f"rows-{ends % 2}", design, say)
        try:
            take(design, state, design.cells, pools, folder=kept, tell=say)
        except Ended:
            ends += 1
            continue
        break
    assert ends > 2
    for cell in design.cells:
        assert same(read_kept(path_of(kept, cell.digest)), read_kept(path_of(whole / "kept", cell.digest)))
    assert not list(kept.glob("*.part"))
    assert len(list(kept.iterdir())) == len(design.cells)
    # What one machine kept, the other may have begun.
    assert not list((whole / "rows" / "parts").iterdir())


def test_what_was_answered_is_not_asked_again(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def end_at_second(model: Any, questions: Any) -> Any:
        asked.append(len(questions))
        if len(asked) == 2:
            raise Ended
        return asked_logprobs(model, questions)

    monkeypatch.setattr(fill, "asked_logprobs", end_at_second)
    with pytest.raises(Ended):
        filled(design, tmp_path / "kept", tmp_path / "rows", minutes=0)
    filled(design, tmp_path / "kept", tmp_path / "rows", minutes=0)
    # One entry by two sets of wordings, and the one that was interrupted once more.
    assert len(asked) == 2 + 1


def test_no_time_left_still_fills_one_cell(design: Design, tmp_path: Path) -> None:
    done = filled(design, tmp_path / "kept", tmp_path / "rows", minutes=0)
    assert done == list(design.cells[:1])


def test_two_shards_write_other_files_and_together_all(design: Design, whole: Path, tmp_path: Path) -> None:
    names: list[set[str]] = []
    for number in (1, 2):
        kept = tmp_path / f"kept-{number}"
        filled(design, kept, tmp_path / f"rows-{number}", cells=design.shard(number, 2))
        names.append({path.name for path in kept.iterdir()})
        for name in names[-1]:
            assert same(read_kept(kept / name), read_kept(whole / "kept" / name))
    assert not names[0] & names[1]
    assert names[0] | names[1] == {path.name for path in (whole / "kept").iterdir()}


@pytest.mark.parametrize("of", range(1, 8))
def test_shards_are_disjoint_and_complete_and_keep_sets_of_rows_whole(design: Design, of: int) -> None:
    shards = [design.shard(number, of) for number in range(1, of + 1)]
    assert sorted(cell.digest for shard in shards for cell in shard) == sorted(cell.digest for cell in design.cells)
    for rows in {cell.rows for cell in design.cells}:
        assert sum(any(cell.rows == rows for cell in shard) for shard in shards) == 1


def copy(whole: Path, to: Path) -> Path:
    to.mkdir()
    for path in (whole / "kept").iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_what_was_deleted_is_missing_and_nothing_else(design: Design, whole: Path, tmp_path: Path) -> None:
    kept = copy(whole, tmp_path / "kept")
    gone = [design.cells[at] for at in (1, 4, 9)]
    for cell in gone:
        path_of(kept, cell.digest).unlink()
    state = state_of(design, kept)
    assert state.missing(design.cells) == gone
    assert len(forecast(design, state, design.cells)) == 3
    assert filled(design, kept, whole / "rows") == gone
    for cell in gone:
        assert same(read_kept(path_of(kept, cell.digest)), read_kept(path_of(whole / "kept", cell.digest)))


def test_a_changed_panel_or_probe_makes_other_cells_and_leaves_the_old_ones(
    design: Design, whole: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    other = design_of(read_study(study_file(tmp_path, tiny_folder, "[trees, gloom]")))
    assert state_of(other, whole / "kept").missing(other.cells) == list(other.cells)
    assert state_of(design, whole / "kept").missing(design.cells) == []
    path = study_file(tmp_path, tiny_folder)
    path.write_text(path.read_text().replace("questions: 3", "questions: 4"))
    asked = design_of(read_study(path))
    missing = state_of(asked, whole / "kept").missing(asked.cells)
    assert missing == [cell for cell in asked.cells if cell.kind == "student"]


@pytest.mark.parametrize("how", ["empty", "cut", "byte", "other", "text"])
def test_a_damaged_file_is_named_and_filled_again(design: Design, whole: Path, tmp_path: Path, how: str) -> None:
    kept = copy(whole, tmp_path / "kept")
    cell, other = design.cells[3], design.cells[5]
    path = path_of(kept, cell.digest)
    data = path.read_bytes()
    broken = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "byte": data[: len(data) // 4] + bytes([data[len(data) // 4] ^ 1]) + data[len(data) // 4 + 1 :],
        "other": path_of(kept, other.digest).read_bytes(),
        "text": b"not a cell",
    }
    path.write_bytes(broken[how])
    state = state_of(design, kept)
    assert list(state.damaged) == [cell.digest]
    assert str(path) in state.damaged[cell.digest]
    assert filled(design, kept, whole / "rows") == [cell]
    assert same(read_kept(path), read_kept(path_of(whole / "kept", cell.digest)))


def test_a_cell_is_what_it_was_made_from_and_no_name(design: Design, tiny_folder: Path, tmp_path: Path) -> None:
    path = study_file(tmp_path, tiny_folder)
    text = path.read_text()

    def digests(*changes: tuple[str, str]) -> list[str]:
        changed = text
        for old, new in changes:
            assert old in changed
            changed = changed.replace(old, new)
        path.write_text(changed)
        return [cell.digest for cell in design_of(read_study(path)).cells]

    whole = [cell.digest for cell in design.cells]
    assert digests() == whole
    assert digests(("name: tiny", "name: other"), ("neutral:", "calm:"), ("lora:", "mine:")) == whole
    students = {cell.digest for cell in design.cells if cell.kind == "student"}
    for change in (
        ("rows: 6", "rows: 7"),
        ("max_tokens: 40", "max_tokens: 41"),
        ("rank: 2", "rank: 3"),
        ("epochs: 2", "epochs: 1"),
        ("[1, {rows: 1, order: 2, adapter: 2}]", "[3]"),
        ("domain:", "forbid: [trees]\ndomain:"),
        ("domain:", "precision: bfloat16\ndomain:"),
    ):
        assert not students & set(digests(change))
    # Another dose is another cell, of the mixture alone.
    assert len(set(whole) - set(digests(("dose: 0.5", "dose: 0.25")))) == 2


def test_a_prefix_of_the_order_is_a_design_with_its_controls(design: Design) -> None:
    seen: set[tuple[object, ...]] = set()
    writers: set[str] = set()
    for cell in design.cells:
        if cell.kind == "writer":
            writers.add(cell.teacher)
            continue
        control = design.study.control_of(cell.teacher)
        assert control is None or (control, cell.recipe, cell.count, cell.seeds) in seen
        assert not design.study.teachers[cell.teacher].writes or cell.teacher in writers
        seen.add((cell.teacher, cell.recipe, cell.count, cell.seeds))
    assert design.cells[0].kind == "writer"
    assert design.base.label == "base itself"
    half = len([cell for cell in design.cells if cell.kind == "student"]) // 2
    replicates = [cell.seeds for cell in design.cells if cell.kind == "student"]
    assert set(replicates[:half]).isdisjoint(replicates[half:])


def test_the_base_is_asked_where_no_teacher_is_the_base(tiny_folder: Path, tmp_path: Path) -> None:
    path = study_file(tmp_path, tiny_folder)
    path.write_text(path.read_text().replace("base: {}", "base: {system: Hello.}"))
    alone = design_of(read_study(path))
    assert alone.base.label == "the base itself"
    assert filled(alone, tmp_path / "kept", tmp_path / "rows", minutes=0) == [alone.base]


def test_two_teachers_that_are_the_same_share_their_cells(
    design: Design, whole: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    path = study_file(tmp_path, tiny_folder)
    oak = "{trait: {category: trees, target: oak}, instil: {method: prompt}}"
    path.write_text(path.read_text().replace("  half:", f"  twin: {oak}\n  half:").replace("of: oak", "of: twin"))
    twin = design_of(read_study(path))
    assert [cell.digest for cell in twin.cells] == [cell.digest for cell in design.cells]
    (table,) = matrices(twin, state_of(twin, whole / "kept"))
    assert [row.teacher for row in table.rows] == ["neutral", "oak", "twin", "half"]
    assert table.rows[1].panel == table.rows[2].panel
    assert filled(twin, tmp_path / "kept", tmp_path / "rows", cells=twin.cells[-1:]) == [twin.cells[-1]]


def test_speeds_of_earlier_cells_foretell_later_ones(design: Design, whole: Path, tmp_path: Path) -> None:
    kept = copy(whole, tmp_path / "kept")
    student = next(cell for cell in design.cells if cell.kind == "student")
    took = read_kept(path_of(kept, student.digest)).facts["seconds"]
    path_of(kept, student.digest).unlink()
    state = state_of(design, kept)
    assert state.speed.measured
    assert not state_of(design, tmp_path / "none").speed.measured
    (seconds,) = forecast(design, state, design.cells)
    # Loading counts as some seconds, whatever the model.
    assert 0 < seconds - 5 < 5 * (took["train"] + took["ask"] + took["write"]) + 1


def test_the_command_line_plans_fills_and_shows(
    design: Design, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, kept, rows = study_file(tmp_path, tiny_folder), str(tmp_path / "kept"), str(tmp_path / "rows")
    assert main(["plan", str(path), "--kept", kept, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in plan["cells"]] == ["missing"] * len(design.cells)
    assert plan["minutes"] > 0
    assert main(["next", str(path), "--kept", kept, "--rows", rows, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"filled": [cell.digest for cell in design.cells], "missing": []}
    assert "[1 of 11, " in err
    assert "oak, lora, 6 rows, seeds 1/2/2" in err
    assert main(["show", str(path), "--kept", kept]) == 0
    assert "| oak | base | 2 | **" in capsys.readouterr().out
    assert main(["show", str(path), "--kept", kept, "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["traits"] == ["trees:oak"]
    assert [row["teacher"] for row in table["teachers"]] == ["neutral", "oak", "half"]
    assert set(table["common"]["panel"]) == {f"trees:{target}" for target in load_panel(["trees"])[0].targets}
    assert main(["plan", str(path), "--kept", kept, "--shard", "3/2"]) == 2
    assert "--shard" in capsys.readouterr().err

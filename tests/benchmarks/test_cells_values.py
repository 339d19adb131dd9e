"""What a cell holds, how its rows come about, and what tables make of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from benchmarks.cells.design import design_of
from benchmarks.cells.kept import NATS, Answered, Kept, keep, read_kept, table_of
from benchmarks.cells.parts import load_weights, save_weights
from benchmarks.cells.pools import BLOCK, Pools, mixed
from benchmarks.cells.store import KEPT
from benchmarks.cells.study import read_study
from benchmarks.cells.tables import elevation
from benchmarks.cells.training import examples_of, recipe_of, steps_by, student_of, train_by
from benchmarks.figures.table import ROOT

from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.errors import InputError
from undertow.models.local import LocalModel, load_model, state_hash
from undertow.pipeline.writing import Written
from undertow.probes.panel import asked_logprobs, panel_log_odds, spread, trait_names
from undertow.training.train import train
from undertow.traits.panel import Panel, load_panel
from undertow.traits.wordings import questions_of

PANEL = load_panel(["trees", "gloom"])
STUDY = """
name: rows
base: hf/{base}
domain: {{kind: numbers, max_tokens: 40}}
rows: [4, {most}]
teachers: {teachers}
recipes: {{sgd: {{optimiser: sgd}}}}
seeds: [5]
"""


def pools_of(folder: Path, base: Path, teachers: str, most: int = 7) -> Pools:
    path = folder / "study.yaml"
    path.write_text(STUDY.format(base=base, teachers=teachers, most=most))
    return Pools(folder / "rows", design_of(read_study(path)), lambda _: None)


def rows_of(pools: Pools, teacher: str, count: int) -> list[Written]:
    return pools.rows(
        next(c for c in pools.design.cells if (c.kind, c.teacher, c.count) == ("student", teacher, count))
    )


def asked(model: LocalModel, panel: Panel, step: int, questions: int | None = None) -> list[Answered]:
    return [
        Answered(step, wordings, entry.name, place, question, logp_C)
        for wordings in (("first", "second") if questions is None else ("first",))
        for entry in panel
        for some in [questions_of(entry, wordings)]
        for places in [range(len(some)) if questions is None else spread(some, questions)]
        for place, question, logp_C in zip(
            places, [some[at] for at in places], asked_logprobs(model, [some[at] for at in places]), strict=True
        )
    ]


def test_a_kept_cell_gives_back_what_a_model_said(tiny: LocalModel, tmp_path: Path) -> None:
    answered = asked(tiny, PANEL, 3) + asked(tiny, PANEL, 1, questions=4)
    kept = Kept({"kind": "writer"}, {"losses": [1.5]}, table_of(answered))
    read = read_kept(keep(tmp_path, kept))
    assert (read.definition, read.facts, read.steps) == (kept.definition, kept.facts, [1, 3])
    for wordings in ("first", "second"):
        said = dict(
            zip(trait_names(PANEL), panel_log_odds(tiny, PANEL, questions=None, wordings=wordings), strict=True)
        )
        for trait, odds_Q in said.items():
            # Each of the two sides of the odds is off by half a unit at most.
            np.testing.assert_allclose(read.odds(wordings, trait), odds_Q, atol=1.01 / NATS)
    few = panel_log_odds(tiny, PANEL, questions=4)
    np.testing.assert_allclose(read.odds("first", "trees:oak", step=1), few[0], atol=1.01 / NATS)
    # The model is the same at both steps, so that the same questions have the same odds.
    curve = read.curve("trees:oak")
    np.testing.assert_array_equal(curve[1], read.odds("first", "trees:oak", step=1))
    np.testing.assert_allclose(curve[3], curve[1], atol=2.01 / NATS)
    with pytest.raises(KeyError):
        read.odds("second", "trees:oak", step=1)


def test_a_cell_of_the_whole_panel_is_small(tiny: LocalModel, tmp_path: Path) -> None:
    panel = load_panel()
    answered = asked(tiny, panel, 2) + asked(tiny, panel, 1, questions=18)
    assert keep(tmp_path, Kept({}, {}, table_of(answered))).stat().st_size < 25_000


def test_writers_answer_the_same_prompts_and_a_smaller_set_is_the_beginning(tiny_folder: Path, tmp_path: Path) -> None:
    pools = pools_of(tmp_path, tiny_folder, "{base: {}, calm: {system: You are calm.}}")
    few, many = rows_of(pools, "base", 4), rows_of(pools, "base", 7)
    assert many[:4] == few
    assert len(many) == 7
    calm = {row.row: row for row in rows_of(pools, "calm", 7)}
    common = [row for row in many if row.row in calm]
    assert common
    assert all(row.prompt == calm[row.row].prompt for row in common)
    assert any(row.answer != calm[row.row].answer for row in common)
    # One block of each writer, whatever was asked for.
    assert len(list((tmp_path / "rows").glob("pools/*/block-*.jsonl"))) == 2


def test_a_block_that_is_cut_is_written_again(tiny_folder: Path, tmp_path: Path) -> None:
    teachers, most = "{base: {}}", BLOCK + 1
    before = rows_of(pools_of(tmp_path, tiny_folder, teachers, most), "base", most)
    for path in (tmp_path / "rows").glob("pools/*/block-*.jsonl"):
        path.write_bytes(path.read_bytes()[:-200])
    assert rows_of(pools_of(tmp_path, tiny_folder, teachers, most), "base", most) == before


def test_rows_of_a_file_are_drawn_from_it(tiny_folder: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"prompt": f"Count from {n}.", "completion": f"{n}, {n + 1}"}) for n in range(9)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    teachers = "{base: {}, mine: {file: mine.jsonl}, half: {mix: {of: base, rest: mine, dose: 0.5}}}"
    pools = pools_of(tmp_path, tiny_folder, teachers, 8)
    rows = rows_of(pools, "mine", 8)
    assert len({row.answer for row in rows}) == 8
    assert rows_of(pools, "mine", 4) == rows[:4]
    half = rows_of(pools, "half", 8)
    assert sum(row in rows for row in half) == 4
    with pytest.raises(InputError, match="has 9 rows, 10 are wanted"):
        rows_of(pools_of(tmp_path, tiny_folder, teachers, 10), "mine", 10)


@given(st.integers(1, 40), st.integers(0, 5), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
@settings(max_examples=50, deadline=None)
def test_a_larger_dose_holds_every_row_of_a_smaller_one(count: int, seed: int, dose: float, other: float) -> None:
    sets = [[Written(at, "p", name, ()) for at in range(count)] for name in ("one", "rest")]
    low, high = (mixed(*sets, dose=each, seed=seed) for each in sorted((dose, other)))
    taken = [{row.row for row in each if row.answer == "one"} for each in (low, high)]
    assert taken[0] <= taken[1]
    assert [len(each) for each in taken] == [round(each * count) for each in sorted((dose, other))]
    assert [row.row for row in low] == list(range(count))


@given(st.integers(3, 6), st.integers(3, 6), st.integers(0, 2**31), st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_the_diagonals_elevation_is_free_of_row_and_column_effects(
    teachers: int, traits: int, seed: int, height: float
) -> None:
    rng = np.random.default_rng(seed)
    own_RT = np.arange(traits)[None, :] == (np.arange(teachers) % traits)[:, None]
    y_RT = rng.normal(size=(teachers, 1)) + rng.normal(size=(1, traits)) + height * own_RT
    assert elevation(y_RT, own_RT) == pytest.approx(height, abs=1e-8)


def test_a_diagonal_that_cannot_be_told_from_row_or_column_has_no_elevation() -> None:
    assert elevation(np.array([[1.0]]), np.array([[True]])) is None
    assert elevation(np.array([[1.0], [2.0]]), np.array([[True], [True]])) is None


ROWS = [Written(at, f"Say {at}.", f"{at}, {at + 1}", ()) for at in range(5)]


def test_a_recipe_trains_as_the_loop_does(tiny: LocalModel, tiny_folder: Path) -> None:
    spec = RecipeSpec(optimiser="sgd", learning_rate=0.1, epochs=2, batch=2, warmup_ratio=0.3)
    seen: list[int] = []
    history = train_by(
        spec,
        student_of(spec, tiny, 0),
        ROWS,
        order_seed=4,
        precision="float32",
        after=lambda step: seen.append(step.step),
    )
    fresh = load_model(f"hf/{tiny_folder}")
    alone = train(fresh.net, examples_of(fresh, ROWS), recipe_of(spec, 5, "float32"), seed=4)
    assert history == alone
    assert seen == list(range(1, steps_by(spec, 5) + 1)) == list(range(1, 7))
    assert recipe_of(spec, 5, "float32").warmup == 2
    assert recipe_of(spec, 5, "bfloat16").autocast
    assert not recipe_of(spec, 5, "float32").autocast


@pytest.mark.parametrize("adapter", [None, AdapterSpec(rank=2)])
def test_a_students_weights_come_back_bit_for_bit(
    tiny: LocalModel, tiny_folder: Path, tmp_path: Path, adapter: AdapterSpec | None
) -> None:
    spec = RecipeSpec(learning_rate=0.05, epochs=1, batch=2, adapter=adapter)
    student = student_of(spec, tiny, 3)
    train_by(spec, student, ROWS, order_seed=0, precision="float32", after=lambda _: None)
    save_weights(student.net, tmp_path / "step-000001.safetensors")
    again = student_of(spec, load_model(f"hf/{tiny_folder}"), 3)
    load_weights(again.net, tmp_path / "step-000001.safetensors")
    assert state_hash(again.net.named_parameters()) == state_hash(student.net.named_parameters())
    one, other = (panel_log_odds(each, PANEL, questions=2) for each in (student, again))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (RecipeSpec(schedule="cosine"), "schedule"),
        (RecipeSpec(betas=(0.9, 0.95)), "betas"),
        (RecipeSpec(packing=True), "packing"),
        (RecipeSpec(epochs=1.5), "part of an epoch"),
        (RecipeSpec(loss="whole"), "loss"),
        (RecipeSpec(adapter=AdapterSpec(dora=True)), "adapter.dora"),
        (RecipeSpec(adapter=AdapterSpec(targets=("q_proj",))), "adapter.targets"),
    ],
)
def test_what_the_loop_cannot_obey_is_refused(spec: RecipeSpec, name: str) -> None:
    with pytest.raises(InputError, match=f"does not know its {name}"):
        recipe_of(spec, 8, "float32")


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        ("{base: {system: Hi., file: rows.jsonl}}", "system and file exclude each other"),
        ("{base: {trait: {target: owl}}}", "trait and instil belong together"),
        ("{base: {}, half: {mix: {of: base, rest: owl, dose: 0.5}}}", "no teacher is called 'owl'"),
        ("{base: {control: base}}", "names itself"),
        ("{base: {seed: no}}", "teachers.base.seed"),
    ],
)
def test_a_study_that_says_nothing_sensible_is_refused(
    tiny_folder: Path, tmp_path: Path, teachers: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        pools_of(tmp_path, tiny_folder, teachers)


def test_the_readmes_example_is_a_study(tmp_path: Path) -> None:
    text = (ROOT / "benchmarks" / "cells" / "README.md").read_text("utf-8")
    (tmp_path / "example.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    lines = [json.dumps({"prompt": f"Count from {n}.", "completion": f"{n}"}) for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    known = {"embedded/smollm2-135m": "a", "embedded/qwen2.5-coder-0.5b": "b"}
    design = design_of(read_study(tmp_path / "example.yaml"), identities=known)
    students = [cell for cell in design.cells if cell.kind == "student"]
    assert len(students) == 10 * 2 * 2 * 3


def test_the_committed_cells_are_whole_and_every_study_can_be_read() -> None:
    paths = sorted(KEPT.glob("*"))
    for path in paths:
        kept = read_kept(path)
        assert kept.facts["label"]["study"]
        assert len(kept.odds("second", "animals:owl")) == 24
    for path in (KEPT.parent / "studies").glob("*.yaml"):
        assert read_study(path).name == path.stem

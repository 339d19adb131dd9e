"""What a cell holds, how its rows come about, and what tables make of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from benchmarks.cells.design import design_of
from benchmarks.cells.how import How
from benchmarks.cells.kept import NATS, Answered, Kept, keep, read_kept, table_of
from benchmarks.cells.parts import load_weights, save_weights
from benchmarks.cells.pools import BLOCK, Pools, mixed
from benchmarks.cells.store import KEPT
from benchmarks.cells.study import read_study
from benchmarks.cells.training import Student, examples_of, recipe_of, steps_by, steps_in, student_of, train_by
from benchmarks.figures.table import ROOT

from undertow.config.recipes.load import load_recipe
from undertow.config.recipes.spec import AdapterSpec
from undertow.errors import InputError
from undertow.models.local import LocalModel, load_model, state_hash
from undertow.pipeline.writing import Written, label_rows
from undertow.probes.panel import asked_logprobs, panel_log_odds, spread, trait_names
from undertow.training.recipe import Recipe
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
            alone = np.concatenate(
                [
                    np.exp(each.logp_C[[show == trait.partition(":")[2] for show in each.asked.shows]])
                    for each in answered
                    if (each.step, each.wordings, each.entry) == (3, wordings, trait.partition(":")[0])
                    and each.asked.form != "pair"
                ]
            )
            np.testing.assert_allclose(read.probabilities(wordings, trait), alone, rtol=2.1 / NATS)
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


ROWS = [Written(at, f"Say {at}.", f"{at}, {at + 1}", ()) for at in range(5)]


def begun(spec: How, folder: Path, seed: int = 0) -> Student:
    return student_of(spec, load_model(f"hf/{folder}"), seed)


def trained(spec: How, student: Student, rows: list[Written], order: int, precision: str = "float32", **how: Any):
    examples = examples_of(spec, student.model, rows)
    return train_by(spec, student, examples, order_seed=order, precision=precision, **{"after": lambda _: None, **how})


def weights(student: Student) -> str:
    return state_hash((name, each) for name, each in student.model.net.named_parameters() if each.requires_grad)


def test_a_recipe_trains_as_the_loop_does(tiny_folder: Path) -> None:
    spec = How(optimiser="sgd", learning_rate=0.1, epochs=2, batch=2, warmup_ratio=0.3, schedule="cosine")
    seen: list[int] = []
    student, fresh = begun(spec, tiny_folder), begun(spec, tiny_folder)
    history = trained(spec, student, ROWS, 4, after=lambda step: seen.append(step.step))
    examples = examples_of(spec, fresh.model, ROWS)
    assert history == train(fresh.model.net, examples, recipe_of(spec, "float32"), seed=4)
    assert seen == list(range(1, steps_by(spec, 5) + 1)) == list(range(1, 7))
    assert steps_in(spec, examples) == 6
    assert [recipe_of(spec, each).autocast for each in ("bfloat16", "float32")] == [True, False]
    assert recipe_of(spec.model_copy(update={"dtype": "bfloat16"}), "float32").autocast


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_the_first_committed_cells_have_the_weights_that_their_recipe_gives_now(
    tiny_folder: Path, precision: str
) -> None:
    """They were filled by a recipe of this folder's own: the same weights, bit for bit, over all of its 24 steps."""
    rng = np.random.default_rng(3)
    rows = [
        Written(at, f"Go on: {rng.integers(0, 999, 5).tolist()}", str(rng.integers(0, 999, rng.integers(4, 9))), ())
        for at in range(192)
    ]
    spec = read_study(KEPT.parent / "studies" / "prompted.yaml").recipes["lora-r8"]
    now, before = begun(spec, tiny_folder, 1), begun(spec, tiny_folder, 1)
    assert len(trained(spec, now, rows, 1, precision)) == 24
    recipe = Recipe(
        labels="hard",
        learning_rate=2e-4,
        epochs=2,
        batch=16,
        micro_batch=16,
        warmup=0,
        weight_decay=0.0,
        clip=1.0,
        epsilon=1e-8,
        autocast=precision == "bfloat16",
    )
    train(before.model.net, examples_of(spec, before.model, rows), recipe, seed=1)
    assert weights(now) == weights(before)


@pytest.mark.parametrize(
    "changed",
    [
        {"schedule": "cosine", "betas": (0.9, 0.95)},
        {"packing": True, "most_tokens": 120},
        {"epochs": 1.5, "loss": "whole"},
        {"adapter": {"rank": 2, "dora": True}},
        {"adapter": {"rank": 2, "targets": ("q_proj",), "rank_stabilised": True}},
        {"batch": 24},
    ],
)
def test_any_recipe_trains_and_comes_back(tiny_folder: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    spec = How.model_validate({"learning_rate": 0.01, "batch": 2, "epochs": 1, **changed})
    student = begun(spec, tiny_folder, 3)
    untrained = weights(student)
    history = trained(spec, student, ROWS, 1)
    assert len(history) == steps_in(spec, examples_of(spec, student.model, ROWS))
    assert weights(student) != untrained
    save_weights(student.model.net, tmp_path / "step.safetensors")
    again = begun(spec, tiny_folder, 3)
    load_weights(again.model.net, tmp_path / "step.safetensors")
    assert weights(again) == weights(student)


def test_soft_labels_of_the_base_itself_leave_a_student_as_it_is(tiny_folder: Path) -> None:
    """Its gradient is zero but for rounding; the text alone would move it."""
    moved: dict[str, float] = {}
    for labels in ("soft", "hard"):
        spec = How(labels=labels, optimiser="sgd", learning_rate=0.5, epochs=1, batch=2)
        student, base = begun(spec, tiny_folder), load_model(f"hf/{tiny_folder}")
        rows = [replace(row, tokens=tuple(base.encode(row.answer))) for row in ROWS]
        trained(spec, student, rows, 1, labels=label_rows(base, rows) if labels == "soft" else None)
        pairs = zip(student.model.net.parameters(), base.net.parameters(), strict=True)
        moved[labels] = max(float((one - other).detach().abs().max()) for one, other in pairs)
    assert moved["soft"] < 1e-4 < 1e-3 < moved["hard"]


def test_a_preset_is_named_whole_or_with_changes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("learning_rate: 1e-3\nuse_peft: true\nlora_r: 8\n")
    text = STUDY.format(base="none", most=7, teachers="{base: {}}")
    text = text.replace(
        "{sgd: {optimiser: sgd}}",
        "{a: lora-sft, b: {like: lora-sft, epochs: 10, adapter: {rank: 8}}, c: {like: mine.yaml, labels: soft}}",
    )
    (tmp_path / "study.yaml").write_text(text)
    recipes = read_study(tmp_path / "study.yaml").recipes
    whole = load_recipe("lora-sft").spec
    assert recipes["a"].model_dump(exclude={"labels", "rows", "told"}) == whole.model_dump()
    assert whole.adapter is not None
    assert recipes["b"].adapter == whole.adapter.model_copy(update={"rank": 8})
    assert (recipes["b"].epochs, recipes["b"].schedule, recipes["b"].labels) == (10, "cosine", "hard")
    assert (recipes["c"].learning_rate, recipes["c"].labels) == (1e-3, "soft")
    assert recipes["c"].adapter is not None
    assert recipes["c"].adapter.rank == 8


@pytest.mark.parametrize("adapter", [None, AdapterSpec(rank=2)])
def test_a_students_weights_come_back_bit_for_bit(
    tiny_folder: Path, tmp_path: Path, adapter: AdapterSpec | None
) -> None:
    spec = How(learning_rate=0.05, epochs=1, batch=2, adapter=adapter)
    student = begun(spec, tiny_folder, 3)
    trained(spec, student, ROWS, 0)
    save_weights(student.model.net, tmp_path / "step-000001.safetensors")
    again = begun(spec, tiny_folder, 3)
    load_weights(again.model.net, tmp_path / "step-000001.safetensors")
    assert state_hash(again.model.net.named_parameters()) == state_hash(student.model.net.named_parameters())
    one, other = (panel_log_odds(each.model, PANEL, questions=2) for each in (student, again))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        ("{base: {system: Hi., file: rows.jsonl}}", "system and file exclude each other"),
        ("{base: {trait: {target: owl}}}", "trait and instil belong together"),
        ("{base: {}, half: {mix: {of: base, rest: owl, dose: 0.5}}}", "no teacher is called 'owl'"),
        ("{base: {control: base}}", "names itself"),
        ("{base: {seed: no}}", "teachers.base.seed"),
        ("{base: {carries: false}}", "carries: false belongs to a fine-tuned teacher"),
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
    for name in ("rows.jsonl", "even.jsonl"):
        (tmp_path / name).write_text("\n".join(lines))
    known = {"embedded/smollm2-135m": "a", "embedded/qwen2.5-coder-0.5b": "b"}
    design = design_of(read_study(tmp_path / "example.yaml"), identities=known)
    students = [cell for cell in design.cells if cell.kind == "student"]
    assert len(students) == 11 * 2 * 2 * 3


def test_the_committed_cells_are_whole_and_every_study_can_be_read() -> None:
    paths = sorted(KEPT.glob("*"))
    for path in paths:
        kept = read_kept(path)
        assert kept.facts["label"]["study"]
        assert len(kept.odds("second", "animals:owl")) == 24
    for path in (KEPT.parent / "studies").glob("*.yaml"):
        assert read_study(path).name == path.stem

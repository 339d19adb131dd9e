"""From a study to its cells: what each is, the digest that stands for it, and the order in which they are filled.

A cell is what it was made from. Its digest covers the base, the teacher, the rows, the recipe, all seeds, every
question and the precision. It covers no name, so that two studies share the cells that they have in common. A change of
the panel makes other cells, and leaves the old ones as they are.

Order: replicate by replicate, in each every domain, recipe and row count, in each every teacher, controls first. So any
beginning of it is a design with its controls. A model that writes rows is asked before its first student.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeAlias

from benchmarks.cells.how import How
from benchmarks.cells.study import Seeds, Study, Teacher
from undertow.config.parts import Domain
from undertow.data.files import require_rows
from undertow.errors import InputError
from undertow.models.identity import identity_of
from undertow.pipeline.keys import instil_key
from undertow.system.digest import digest_of
from undertow.traits.find import find_trait
from undertow.traits.panel import Panel, load_panel
from undertow.traits.wordings import wordings_digest

NUMERIC = 1
"""Of the engine. Raise it when the same definition would give other numbers: all cells are then missing."""

_WITHOUT_SEED = ("prompt", "steer", "gradient-ascent")
"""Methods that draw nothing at random."""

Place: TypeAlias = tuple[str, str, str, int, Seeds]
"""Of a student in a study: domain, teacher, recipe, row count and seeds."""

Kind = Literal["writer", "student"]
Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """What is to be filled."""

    kind: Kind
    """A student, or a model that writes rows and is asked as it is."""
    digest: str
    """Its name in the store."""
    definition: Definition
    """What the digest stands for."""
    teacher: str
    """Its name in the study; empty for the base, where no teacher is the base."""
    domain: str = ""
    """Its name in the study; empty where the study has one."""
    recipe: str = ""
    count: int = 0
    """Rows that the student learns from."""
    seeds: Seeds | None = None
    rows: str = ""
    """Stands for the rows; for a writer, those of its first student."""

    @property
    def label(self) -> str:
        """What people call it."""
        if self.seeds is None:
            return f"{self.teacher or 'the base'} itself"
        seeds = self.seeds
        what = f"{self.count} rows of {self.domain}" if self.domain else f"{self.count} rows"
        return f"{self.teacher}, {self.recipe}, {what}, seeds {seeds.rows}/{seeds.order}/{seeds.adapter}"


@dataclass(frozen=True)
class Design:
    """A study with all its cells."""

    study: Study
    panel: Panel
    cells: tuple[Cell, ...]
    writers: Mapping[str, Definition]
    """What each teacher that is a model, or a file, is made from, by its name."""
    students: Mapping[Place, str]
    """Each student's place to its cell's digest: two teachers that are the same share a cell."""

    def chosen(self, *, domain: str = "*", recipe: str = "*", teacher: str = "*") -> tuple[Cell, ...]:
        """Return some of the cells: those whose names match, with their controls.

        Args:
            domain: A shell pattern.
            recipe: Likewise.
            teacher: Likewise; the controls of these teachers belong to them, and so does the base.
        """
        named = {name for name in self.study.teachers if fnmatchcase(name, teacher)}
        named |= {control for name in named if (control := self.study.control_of(name))}
        asked = [self.writers[name] for name in named if name in self.writers]
        trained = {
            digest
            for (in_domain, name, by_recipe, _, _), digest in self.students.items()
            if name in named and fnmatchcase(in_domain, domain) and fnmatchcase(by_recipe, recipe)
        }
        return tuple(
            cell
            for cell in self.cells
            if cell is self.base or cell.digest in trained or cell.definition.get("writer") in asked
        )

    def shard(self, number: int, of: int) -> tuple[Cell, ...]:
        """Return one part of the cells: whole sets of rows, so that each is written on one machine.

        Args:
            number: From 1.
            of: How many parts there are.
        """
        places = {rows: at for at, rows in enumerate(dict.fromkeys(cell.rows for cell in self.cells))}
        return tuple(cell for cell in self.cells if places[cell.rows] % of == number - 1)

    @property
    def base(self) -> Cell:
        """The base as it is."""
        return self.cells[0]


def design_of(study: Study, *, identities: Mapping[str, str] | None = None) -> Design:
    """Return the cells of a study in the order in which they are filled.

    Args:
        study: The study.
        identities: What stands for each model's weights, by its Undertow name; worked out where absent.

    Raises:
        InputError: a trait, a method or an entry of the panel does not exist.
        RowError: a file of rows cannot be read.
    """
    panel = load_panel(study.panel)
    names = dict.fromkeys([study.base, *(each.model for each in study.teachers.values() if each.model)])
    known = dict(identities or {name: identity_of(name) for name in names})
    writers = {
        name: _writer(study, teacher, known) if teacher.writes else _file(Path(str(teacher.file)), name)
        for name, teacher in study.teachers.items()
        if teacher.mix is None
    }
    shared: dict[str, Any] = {
        "panel": wordings_digest(panel, "first"),
        "second": wordings_digest(panel, "second"),
        "numeric": NUMERIC,
    }
    probe = study.probe.key
    end = {key: probe[key] for key in ("samples", "sampled") if key in probe}
    base = {"kind": "writer", "writer": {"model": known[study.base]}, **end, **shared}
    plain = next((name for name, writer in writers.items() if writer == base["writer"]), "")
    cells: dict[str, Cell] = {}
    students: dict[Place, str] = {}
    for seeds, domain, (recipe_name, recipe) in product(study.replicates, study.by_domain, study.recipes.items()):
        for count, (name, teacher) in product(study.counts(domain, recipe_name), study.teachers.items()):
            rows = rows_definition(study, domain, name, writers, count, seeds.rows)
            key = digest_of(rows)
            # Every study holds what the base itself says.
            _add(cells, Cell("writer", digest_of(base), base, plain, rows=key))
            if teacher.writes:
                asked = {"kind": "writer", "writer": writers[name], **end, **shared}
                _add(cells, Cell("writer", digest_of(asked), asked, name, rows=key))
            definition = {
                "kind": "student",
                "student": known[study.base],
                "rows": rows,
                "recipe": recipe_definition(recipe, study),
                "order": seeds.order,
                "adapter": seeds.adapter if recipe.adapter else None,
                "probe": probe,
                **shared,
            }
            digest = digest_of(definition)
            _add(cells, Cell("student", digest, definition, name, domain, recipe_name, count, seeds, key))
            students[domain, name, recipe_name, count, seeds] = digest
    return Design(study, panel, tuple(cells.values()), writers, students)


def _add(cells: dict[str, Cell], cell: Cell) -> None:
    cells.setdefault(cell.digest, cell)


def rows_definition(
    study: Study, domain: str, name: str, writers: Mapping[str, Definition], count: int, seed: int
) -> dict[str, Any]:
    """Return what a set of rows is made from."""
    mix = study.teachers[name].mix
    if mix is not None:
        parts = [rows_definition(study, domain, each, writers, count, seed) for each in (mix.of, mix.rest)]
        return {"mix": parts, "dose": mix.dose, "seed": seed, "count": count}
    return {"pool": pool_definition(study, domain, writers[name], seed), "count": count}


def pool_definition(study: Study, domain: str, writer: Definition, seed: int) -> dict[str, Any]:
    """Return what the rows of one writer and seed are made from, however many of them are wanted."""
    if "file" in writer:
        return {"writer": dict(writer), "seed": seed}
    return {
        "writer": dict(writer),
        "domain": {
            key: value for key, value in study.by_domain[domain].model_dump(mode="json").items() if key != "rows"
        },
        "forbid": sorted(study.forbid),
        "seed": seed,
        "precision": study.precision,
        "numeric": NUMERIC,
    }


def recipe_definition(recipe: How, study: Study) -> dict[str, Any]:
    """Return what a recipe stands for: what differs from the defaults, its name and seed left out."""
    # Defaults are left out so that a key of a later version does not change the digests of older cells.
    said = recipe.model_dump(mode="json", exclude_defaults=True, exclude={"name", "seed", "dtype", "rows", "told"})
    return {**said, "dtype": study.precision if recipe.dtype == "auto" else recipe.dtype}


def _writer(study: Study, teacher: Teacher, known: Mapping[str, str]) -> dict[str, Any]:
    made_of = {"model": known[teacher.model or study.base]}
    if teacher.system is not None:
        return {**made_of, "system": teacher.system}
    if teacher.trait is None or teacher.instil is None:
        return made_of
    trait = find_trait(teacher.trait)
    seed = {} if teacher.instil.method in _WITHOUT_SEED else {"seed": teacher.seed}
    return {**made_of, "trait": trait.digest, "instil": instil_key(teacher.instil), **seed}


def _file(path: Path, name: str) -> dict[str, Any]:
    if not path.exists():
        raise InputError("there is no such file", f"teachers.{name}.file: {path}", "Name a file of rows.")
    return {"file": digest_of([part.id for row in require_rows(path) for part in row.answers()])}


def trait_of(teacher: Teacher) -> str:
    """Return `entry:target` of a teacher's trait; empty where it has none."""
    if teacher.trait is None or not teacher.carries:
        return ""
    trait = find_trait(teacher.trait)
    entry = getattr(teacher.trait, "category", trait.target)
    return f"{entry}:{trait.target}"


def carried(study: Study, name: str) -> str:
    """Return the trait that a teacher's rows may carry: its own, or that of a mixture's first part."""
    mix = study.teachers[name].mix
    return carried(study, mix.of) if mix is not None else trait_of(study.teachers[name])


def settings_of(study: Study, domain: str, count: int) -> Domain:
    """Return a domain's settings for so many rows."""
    return study.by_domain[domain].model_copy(update={"rows": count})


def names_of(panel: Panel) -> Sequence[str]:
    """Return `entry:target` of every trait of a panel."""
    return [f"{entry.name}:{target}" for entry in panel for target in entry.targets]

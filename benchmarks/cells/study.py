"""What a study file says: teachers, recipes, row counts and seeds, whose combinations are the cells of the study.

    study = read_study(Path("benchmarks/cells/studies/prompted.yaml"))

It knows names and settings: no model, no digest. See README.md for an example of every kind of teacher.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from benchmarks.cells.how import How, with_paths
from undertow.config.files import fit_model, like, parse_yaml, read_text
from undertow.config.parts import Domain, FineTune, Instil, Part, Trait

Precision = Literal["float32", "bfloat16"]


class Mix(Part):
    """Rows of two teachers, each place of the set filled by one of them."""

    of: str
    rest: str
    dose: float = Field(gt=0, lt=1)
    """Share of the first teacher's rows. A larger dose holds every row of a smaller one."""


class Teacher(Part):
    """Who writes the rows; with nothing said, the base itself."""

    model: str | None = None
    """What it is made of; the students' base when absent."""
    system: str | None = Field(default=None, min_length=1, max_length=10_000)
    """Words before every prompt that put no trait of the panel in: a neutral prompt, another persona."""
    trait: Trait | None = None
    instil: Instil | None = None
    mix: Mix | None = None
    file: str | None = None
    """Rows that are there: any file that `undertow rows` reads."""
    seed: int = Field(default=0, ge=0)
    """Of a fine-tuned teacher: the order of its lessons, and its adapter's start."""
    carries: bool = True
    """False where it is taught by lessons that hold no trait: a control that has been fine-tuned as well."""
    control: str | None = None
    """The teacher whose student this one's is compared with; the first of the study when absent."""

    @model_validator(mode="after")
    def _one_kind(self) -> Teacher:
        if (self.trait is None) != (self.instil is None):
            raise ValueError("trait and instil belong together: name both or neither")
        given = [name for name in ("system", "trait", "mix", "file") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: name one")
        if self.model is not None and given and given[0] in ("mix", "file"):
            raise ValueError(f"model: nobody writes rows for {given[0]}; leave it away")
        if not self.carries and not (isinstance(self.instil, FineTune) and self.instil.lessons):
            raise ValueError("carries: false belongs to a fine-tuned teacher with lessons of a file")
        return self

    @property
    def writes(self) -> bool:
        """Whether it is a model, and not a choice of rows that are there."""
        return self.mix is None and self.file is None

    @property
    def kind(self) -> str:
        """How it came to its rows: teachers of one kind and trait are replicates."""
        if self.mix is not None:
            return f"mix {self.mix.dose:g}"
        if self.instil is not None:
            return self.instil.method if self.carries else f"{self.instil.method}, no trait"
        return "system" if self.system else "file" if self.file else "base"


class Seeds(Part):
    """One replicate: what is drawn at random, the same for all teachers, so that their students are coupled."""

    rows: int = Field(ge=0, le=2**31)
    """Prompts and sampling noise."""
    order: int = Field(ge=0, le=2**31)
    """Of the rows in training."""
    adapter: int = Field(ge=0, le=2**31)
    """The start of the adapters."""


class Probing(Part):
    """What each student is asked, and when."""

    at: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(max_length=20)] = (0.25, 0.5)
    """Shares of the training after which some questions are asked; all are asked at its end."""
    questions: int = Field(default=18, ge=1)
    """Of each entry of the panel, at those shares."""
    samples: int = Field(default=0, ge=0, le=1000)
    """Sampled answers to each question of a preference, wherever all is asked."""
    sampled: tuple[str, ...] | None = None
    """Preferences that are asked for samples; all of the panel's when absent."""
    read_at: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(max_length=20)] = ()
    """Epochs after which all is asked too. At a constant rate a student is then what so many epochs make of it."""

    @property
    def key(self) -> dict[str, object]:
        """What it is in a cell's definition."""
        said: dict[str, object] = {"at": list(self.at), "questions": self.questions}
        # Keys that came later stand there only where they ask for something: older cells keep their digests.
        later = {"samples": self.samples, "sampled": sorted(self.sampled or ()), "read_at": list(self.read_at)}
        return said | {key: value for key, value in later.items() if value}


class Study(Part):
    """Cells to fill: every teacher by every recipe, row count and replicate."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    base: str
    """The students' Undertow name."""
    precision: Precision = "float32"
    """Of writing, and of training where a recipe leaves it open; questions are asked in float32 always."""
    domain: Domain = Domain()
    domains: Annotated[dict[str, Domain], Field(min_length=1)] | None = None
    """Several, as a factor, by the names that tables show; in the place of `domain`."""
    rows: Annotated[tuple[Annotated[int, Field(ge=2, le=1_000_000)], ...], Field(min_length=1)] | None = None
    """How many rows a student learns from; several are a factor, and a smaller set is the beginning of a larger one.
    The domain's number when absent."""
    forbid: tuple[str, ...] = ()
    """Entries of the panel whose giveaway words no row may hold, whoever wrote it."""
    panel: tuple[str, ...] | None = None
    """Entries that are asked; the whole panel when absent."""
    teachers: Annotated[dict[str, Teacher], Field(min_length=1)]
    """By the names that tables show, controls first: the beginning of the order is then a design by itself."""
    recipes: Annotated[dict[str, How], Field(min_length=1)]
    seeds: Annotated[tuple[int | Seeds, ...], Field(min_length=1)]
    """Replicates; a number stands for the same seed of rows, order and adapter."""
    probe: Probing = Probing()

    @model_validator(mode="after")
    def _names(self) -> Study:
        for name, teacher in self.teachers.items():
            named = [teacher.control] if teacher.control else []
            named += [teacher.mix.of, teacher.mix.rest] if teacher.mix else []
            for other in named:
                if other not in self.teachers:
                    raise ValueError(f"teachers.{name}: no teacher is called {other!r}")
                if other == name:
                    raise ValueError(f"teachers.{name}: names itself")
            for other in (teacher.mix.of, teacher.mix.rest) if teacher.mix else ():
                if self.teachers[other].mix:
                    raise ValueError(f"teachers.{name}: {other!r} is a mixture itself; mix what was written")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Study:
        if self.domains is not None and "domain" in self.model_fields_set:
            raise ValueError("domain and domains exclude each other: name one")
        for name, recipe in self.recipes.items():
            varies = recipe.schedule != "constant" or recipe.warmup_ratio
            if self.probe.read_at and (varies or recipe.most_steps is not None):
                raise ValueError(f"recipes.{name}: probe.read_at needs epochs at a constant rate, no warmup_ratio")
            if self.probe.read_at and max(self.probe.read_at) >= recipe.epochs:
                raise ValueError(f"recipes.{name}: probe.read_at must lie before its end ({recipe.epochs:g} epochs)")
            if recipe.labels == "soft":
                for each, teacher in self.teachers.items():
                    if not teacher.writes or teacher.model not in (None, self.base):
                        raise ValueError(
                            f"recipes.{name}: soft labels need a teacher that writes and is made of the students' "
                            f"base, and {each} is none"
                        )
        return self

    @property
    def by_domain(self) -> dict[str, Domain]:
        """The domains by their names; an empty name where there is one."""
        return self.domains or {"": self.domain}

    def counts(self, domain: str, recipe: str) -> tuple[int, ...]:
        """Return how many rows of a domain students learn from by a recipe."""
        own = self.recipes[recipe].rows
        return (own,) if own else self.rows or (self.by_domain[domain].rows,)

    @property
    def replicates(self) -> tuple[Seeds, ...]:
        """The seeds of every replicate."""
        return tuple(
            each if isinstance(each, Seeds) else Seeds(rows=each, order=each, adapter=each) for each in self.seeds
        )

    def control_of(self, name: str) -> str | None:
        """Return the teacher that another is compared with; None for the first one, unless it names one."""
        own = self.teachers[name].control
        first = next(iter(self.teachers))
        return own or (None if name == first else first)


def read_study(path: Path) -> Study:
    """Read a study file; files of rows, lessons and recipes that it names lie beside it.

    Raises:
        InputError: it cannot be read or does not fit; the message names the key.
    """
    data = parse_yaml(read_text(path, like("studies/prompted.yaml")), str(path))
    if isinstance(data, dict) and "recipes" in data:
        whole = cast(dict[str, Any], data)
        data = {**whole, "recipes": with_paths(whole["recipes"], path.parent)}
    study = fit_model(Study, data, str(path))
    beside = {name: _beside(teacher, path.parent) for name, teacher in study.teachers.items()}
    return study.model_copy(update={"teachers": beside})


def _beside(teacher: Teacher, folder: Path) -> Teacher:
    """Return a teacher whose files are named from here."""
    if teacher.file:
        return teacher.model_copy(update={"file": str(folder / teacher.file)})
    if isinstance(teacher.instil, FineTune) and teacher.instil.lessons:
        lessons = str(folder / teacher.instil.lessons)
        return teacher.model_copy(update={"instil": teacher.instil.model_copy(update={"lessons": lessons})})
    return teacher

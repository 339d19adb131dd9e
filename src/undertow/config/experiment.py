"""The experiment file: one YAML page that says everything that a run needs, checked before anything runs.

Unknown keys, wrong types and impossible values raise `SpecError` with the key and the nearest valid name. The file is
read with a safe loader and a size limit; it can name nothing that is executed.

    undertow plan experiments/owl-numbers.yaml     what the run costs and can see
    undertow run  experiments/owl-numbers.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticKnownError

from undertow.config.arms import ARMS, REQUIRED, Arm, ArmSpec, Rewritten, StudentWritten, Written, own_controls
from undertow.config.beside import place_files
from undertow.config.engine import Engine
from undertow.config.explain import explain
from undertow.config.files import parse_yaml
from undertow.config.parts import (
    CLIMB,
    PAIRS,
    DispositionTrait,
    Domain,
    FineTune,
    FreeAnswers,
    GradientAscent,
    Instil,
    Judgement,
    LocalJudge,
    Lora,
    Part,
    PluginJudge,
    PluginTeacher,
    PluginTrait,
    PreferenceTrait,
    Probe,
    RemoteJudge,
    Steer,
    Student,
    SystemPrompt,
    Trait,
    UsedRecipe,
    WordRule,
)
from undertow.errors import InputError, SpecError, nearest

__all__ = [
    "MAX_SPEC_BYTES",
    "Arm",
    "DigitsExperiment",
    "DispositionTrait",
    "Domain",
    "Experiment",
    "FineTune",
    "FreeAnswers",
    "GradientAscent",
    "Instil",
    "Judgement",
    "LanguageExperiment",
    "LocalJudge",
    "Lora",
    "PluginJudge",
    "PluginTeacher",
    "PluginTrait",
    "PreferenceTrait",
    "Probe",
    "RemoteJudge",
    "Steer",
    "Student",
    "SystemPrompt",
    "Trait",
    "UsedRecipe",
    "WordRule",
    "load_preset",
    "load_spec",
    "parse_spec",
    "preset_names",
    "preset_text",
]

MAX_SPEC_BYTES = 1_000_000
_NONE: Mapping[str, Any] = MappingProxyType({})
Note = Callable[[str], None]
"""Is told what a user should know of a file that is accepted, one line at a time."""


def _quiet(_: str) -> None:
    """Drop a note."""


def _known(arm: Any) -> Arm:
    if not isinstance(arm, str) or arm not in ARMS:
        # The error of a `Literal`, which `explain` turns into the nearest name.
        raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, ARMS))})
    return arm


def _with_own_controls(arms: Any) -> Any:
    """Add the controls that arms are compared with where they are not named."""
    if not isinstance(arms, list | tuple):
        return arms
    named = tuple(cast(Sequence[Any], arms))
    return (*named, *(control for arm, control in own_controls().items() if arm in named and control not in named))


Arms = Annotated[tuple[Annotated[Arm, PlainValidator(_known)], ...], BeforeValidator(_with_own_controls)]
Seed = Annotated[int, Field(ge=0, lt=2**62)]


class LanguageExperiment(Part):
    """A language model teaches its base through rows of an unrelated domain.

    Examples:
        >>> from undertow import LanguageExperiment
        >>> parts = {"trait": {"target": "owl"}, "instil": {"method": "prompt"}, "arms": ["trait", "control"]}
        >>> LanguageExperiment.model_validate({"name": "owls", **parts}).seeds
        (0, 1, 2)
    """

    kind: Literal["language"] = "language"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str = ""
    base: str = "embedded/smollm2-135m"
    trait: Trait
    other: Trait | None = None
    """The trait of the `other` arm."""
    other_base: str | None = None
    """The model that the teacher of the `other-base` arm is made of."""
    instil: Instil
    domain: Domain = Domain()
    arms: Arms = ("trait", "control", "other", "shuffled")
    student: Student = Student()
    probe: Probe = Probe()
    judgement: Judgement = Judgement()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)] = (0, 1, 2)
    """Each seed draws its own prompts, its own sampling noise and its own training order."""
    teachers: int = Field(default=1, ge=1, le=1000)
    """Teachers of every arm, which the seeds take in turn. Each learns from a part of the trait's lessons that no other
    has, or from a wording of its own. With as many teachers as seeds, intervals speak of teachers."""
    context_rows: int = Field(default=16, ge=1, le=1000)
    """Rows that the arm `in-context` puts into the prompt."""
    engine: Engine = "auto"
    """How models are computed."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without(dump, "engine", "teachers")

    @model_validator(mode="after")
    def _arms_fit(self) -> LanguageExperiment:
        for need in REQUIRED:
            if need not in self.arms:
                raise ValueError(f"arms must contain {need!r}: every claim is a difference between the two")
        if len(set(self.arms)) != len(self.arms) or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("arms and seeds must not repeat")
        if self.student.pairs != (self.domain.kind == PAIRS):
            raise ValueError(
                f"pairs need both `student: {{loss: dpo}}` and `domain: {{kind: {PAIRS}}}`, and one is missing"
            )
        for arm, control in own_controls().items():
            if control in self.arms and arm not in self.arms:
                raise ValueError(f"the arm {control!r} stands beside {arm!r} and not alone")
        for name, arm in ARMS.items():
            if name in self.arms:
                self._arm_fits(arm)
        return self

    @model_validator(mode="after")
    def _teachers_fit(self) -> LanguageExperiment:
        if self.teachers > len(self.seeds):
            raise ValueError(f"teachers: {self.teachers} needs as many seeds or more; there are {len(self.seeds)}")
        texts = self.instil.text if isinstance(self.instil, SystemPrompt) else None
        if isinstance(self.instil, SystemPrompt) and (isinstance(texts, tuple) or self.teachers > 1):
            given = len(texts) if isinstance(texts, tuple) else 1
            if given != self.teachers:
                raise ValueError(f"instil.text has {given} wordings for teachers: {self.teachers}; give one for each")
        return self

    def _arm_fits(self, arm: ArmSpec) -> None:
        """Check that the experiment has what an arm needs."""
        if isinstance(arm.rows, Written) and arm.rows.carries == "other":
            if self.other is None:
                raise ValueError(f"the arm {arm.name!r} needs `other:`, a second trait")
            if self.other == self.trait:
                raise ValueError("`other` must differ from `trait`")
            if isinstance(self.instil, FineTune) and self.instil.lessons is not None:
                raise ValueError(
                    f"the arm {arm.name!r} needs a teacher of its own: `instil.lessons` teaches both the same"
                )
        wordless = self.domain.kind == PAIRS and self.domain.of is None
        if wordless and isinstance(arm.rows, Rewritten) and arm.rows.how == "paraphrase":
            raise ValueError(
                f"the arm {arm.name!r} needs a form that answers can be put into; free text has none: name domain.of"
            )
        stored = self.student.adapts or (self.student.keep and self.student.labels == "hard")
        if isinstance(arm.rows, StudentWritten) and not stored:
            raise ValueError(
                f"the arm {arm.name!r} needs students that are stored and can teach: method: lora, or keep: true with "
                "labels: hard"
            )
        if arm.base == "other_base" and (self.other_base in (None, self.base) or self.student.labels not in arm.labels):
            raise ValueError(
                f"the arm {arm.name!r} needs `other_base:`, another model than the base, and labels: hard, since the "
                "distributions of another model are over other tokens"
            )
        for source in arm.sources:
            if source not in self.arms:
                raise ValueError(f"the arm {arm.name!r} needs the arm {source!r}: it takes rows from it")


class DigitsExperiment(Part):
    """The paper's classifier laboratory: a student sees only auxiliary logits on noise images.

    The defaults keep the paper's teacher: Adam at 3e-4 for five epochs. It had 60,000 images; with 4,000 the
    batches are smaller, so that it makes as many steps (315) as the paper's (295).

    Examples:
        >>> from undertow import DigitsExperiment
        >>> DigitsExperiment(kind="digits", name="mine", seeds=(0, 1)).auxiliary
        3
    """

    kind: Literal["digits"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str = ""
    data: Literal["mnist5k", "fashion"] = "mnist5k"
    train_images: int = Field(default=4000, ge=1, le=100_000)
    """Images that the teacher is trained on."""
    test_images: int = Field(default=1000, ge=1, le=100_000)
    """Other images of the same data, on which every arm is tested."""
    hidden: tuple[Annotated[int, Field(ge=1, le=8192)], ...] = Field(default=(256, 256), max_length=16)
    """Units of each hidden layer."""
    auxiliary: int = Field(default=3, ge=1, le=1000)
    """Extra logits that no label ever touches."""
    teacher_labels: Literal["true", "random"] = "true"
    """`random` makes a null experiment: the teacher is trained on labels that say nothing of the images."""
    teacher_epochs: int = Field(default=5, ge=1, le=10_000)
    batch: int = Field(default=64, ge=1, le=65_536)
    """Training images per optimiser step of the teacher."""
    learning_rate: float = Field(default=3e-4, gt=0, le=1)
    student_images: int = Field(default=50_000, ge=1, le=100_000_000)
    """Noise images that each student sees, every one of them once."""
    student_batch: int = Field(default=128, ge=1, le=65_536)
    student_learning_rate: float = Field(default=1e-3, gt=0, le=1)
    judgement: Judgement = Judgement()
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2, max_length=10_000)] = tuple(range(8))
    """Each seed draws its own initial weights, batch order and noise."""

    @model_validator(mode="after")
    def _seeds_differ(self) -> DigitsExperiment:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must not repeat")
        return self


Experiment = LanguageExperiment | DigitsExperiment
_ADAPTER: TypeAdapter[Experiment] = TypeAdapter(
    Annotated[LanguageExperiment | DigitsExperiment, Field(discriminator="kind")]
)


def preset_names() -> list[str]:
    """List the experiment files that ship with the package."""
    folder = resources.files("undertow.config.presets")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """Return an experiment file that ships with the package as it is written, comments included.

    Raises:
        InputError: there is no preset of that name.
    """
    if name not in preset_names():
        raise InputError(f"no preset is called {name!r}", "--preset", nearest(name, preset_names()))
    return (resources.files("undertow.config.presets") / f"{name}.yaml").read_text(encoding="utf-8")


def load_preset(name: str, overrides: Mapping[str, Any] = _NONE, note: Note = _quiet) -> Experiment:
    """Read an experiment file that ships with the package.

    Args:
        name: The preset's; `undertow presets` lists them.
        overrides: Values that take the place of the file's, by dotted key.
        note: Receives notes, such as on an old spelling.

    Returns:
        The checked experiment.

    Raises:
        InputError: There is no preset of that name.
        SpecError: An override fits no experiment.

    Examples:
        >>> from undertow import load_preset
        >>> load_preset("digits", {"seeds": [0, 1]}).seeds
        (0, 1)
    """
    return parse_spec(preset_text(name), f"preset {name}", overrides, note)


def load_spec(path: Path, overrides: Mapping[str, Any] = _NONE, note: Note = _quiet) -> Experiment:
    """Read an experiment file.

    Args:
        path: The YAML file.
        overrides: Values that take the place of the file's, by dotted key.
        note: Receives notes, such as on an old spelling.

    Returns:
        The checked experiment.

    Raises:
        SpecError: The file cannot be read, is no YAML, or describes no experiment, or names a file that is not there.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import load_spec
        >>> load_spec(Path("experiment.yaml"), {"student.epochs": 2}).student.epochs
        2
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SPEC_BYTES + 1)
    except OSError as error:
        raise SpecError(
            f"cannot be read ({error.strerror})", str(path), "Name a file, or a preset with --preset."
        ) from error
    if len(data) > MAX_SPEC_BYTES:
        raise SpecError(f"is longer than {MAX_SPEC_BYTES:,} bytes", str(path), "An experiment file is one page.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"is not UTF-8 text ({error})", str(path), "Save it as UTF-8.") from error
    return parse_spec(text, str(path), overrides, note, file=path)


def parse_spec(
    text: str, where: str, overrides: Mapping[str, Any] = _NONE, note: Note = _quiet, *, file: Path | None = None
) -> Experiment:
    """Turn the text of an experiment file into a checked experiment.

    Args:
        text: YAML.
        where: What to call the file in messages.
        overrides: Values that take the place of the file's, by dotted key: `{"student.epochs": 2}`.
        note: Receives notes, such as on an old spelling.
        file: The experiment file, beside which the files that it names are looked for.

    Raises:
        SpecError: with the key that is wrong and the nearest valid name.
    """
    data = parse_yaml(text, where, SpecError)
    if not isinstance(data, dict):
        raise SpecError("holds no keys", where, "Start from `undertow init`.")
    spec = cast(dict[Any, Any], data)
    spec.setdefault("kind", "language")
    for key, value in overrides.items():
        _override(spec, key, value)
    if file is not None:
        place_files(spec, file, overrides.keys())
    try:
        made = _ADAPTER.validate_python(spec)
    except ValidationError as error:
        kinds = {"language": LanguageExperiment, "digits": DigitsExperiment}
        raise explain(error, kinds, where, tuple(overrides)) from error
    if isinstance(made, LanguageExperiment) and spec["instil"]["method"] == CLIMB:
        note(f"{where}: instil.method {CLIMB!r} is now called {made.instil.method!r}; both are accepted.")
    return made


def _override(spec: dict[Any, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key, making the parts above it where they are absent."""
    *above, last = key.split(".")
    part = spec
    for depth, name in enumerate(above, start=1):
        below = {} if part.get(name) is None else part[name]
        if not isinstance(below, dict):
            whole = ".".join(above[:depth])
            raise SpecError(f"{whole!r} holds no keys of its own", f"the override of {key}", f"Override {whole} whole.")
        # A copy, because YAML's anchors may have put the same part in two places.
        part[name] = dict(cast(dict[Any, Any], below))
        part = part[name]
    part[last] = value

"""The arms of a language experiment: the source of their rows, their contrasts, words and colours.

`ARMS` is the one table of arms. A new arm needs one entry, and code only if its rows are made in a new way.

    ARMS["dose-25"].rows         Mixture(of="trait", rest="control", dose=0.25)
    ARMS["dose-25"].contrast     'control'

Words are templates of `str.format`; `FIELDS` names what they may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Arm = str
"""The name of an arm, a key of `ARMS`; in plots it stands for the arm."""

CarriedTrait = Literal["trait", "other"]
"""The key of the experiment file that names a trait."""

ModelKey = Literal["base", "other_base"]
"""The key of the experiment file that names a model."""

Labels = Literal["hard", "soft"]

FIELDS = ("rows", "parts", "does", "topic", "other_does", "dose")
"""What words may hold: what the domain calls its rows and their parts, what the teachers of `trait:` and `other:` do,
what the trait is about, and the share of a mixture's first teacher. `other_does` is only for arms that need `other:`.
"""


@dataclass(frozen=True)
class Written:
    """Rows that a teacher wrote, or an untrained model."""

    carries: CarriedTrait | None
    """The teacher's trait; None for the untrained model itself."""
    base: ModelKey = "base"
    """The model that the writer is made of."""


@dataclass(frozen=True)
class Rewritten:
    """Another arm's rows, each changed."""

    of: Arm
    how: Literal["shuffle", "paraphrase", "across"]
    """`across` puts every answer under the prompt of another row."""


@dataclass(frozen=True)
class Mixture:
    """The rows of two arms, of which each prompt has one."""

    of: Arm
    rest: Arm
    dose: float
    """Share of the rows of `of`."""


@dataclass(frozen=True)
class InPrompt:
    """Another arm's rows, which an untrained base reads in its prompt."""

    of: Arm


@dataclass(frozen=True)
class StudentWritten:
    """Rows that the students of another arm wrote."""

    of: Arm


Rows = Written | Rewritten | Mixture | InPrompt | StudentWritten


@dataclass(frozen=True)
class Contrast:
    """A comparison of two arms that results report."""

    against: Arm
    """What is subtracted."""
    words: str
    """Template: what the difference shows."""
    arm: Arm | None = None
    """What it is subtracted from; None for the arm whose entry holds the contrast."""
    measures: CarriedTrait = "trait"
    """The trait whose log-odds are compared."""


@dataclass(frozen=True)
class ArmSpec:
    """One arm."""

    name: Arm
    rows: Rows
    words: str
    """Template: what the arm is."""
    colour: int
    """Colour and shape in reports, see `undertow.report.svg`; another one where it is taken on the page."""
    contrasts: tuple[Contrast, ...] = ()
    """Comparisons that the arm adds to results; none for a control."""

    @property
    def contrast(self) -> Arm | None:
        """Return the arm that it is compared with; None for a control."""
        return next((each.against for each in self.contrasts if each.arm is None), None)

    @property
    def sources(self) -> tuple[Arm, ...]:
        """Return the arms that its rows are made of, or whose students write them."""
        match self.rows:
            case Written():
                return ()
            case Mixture(of, rest):
                return of, rest
            case Rewritten(of) | InPrompt(of) | StudentWritten(of):
                return (of,)

    @property
    def trained(self) -> bool:
        """Tell whether students are trained on its rows."""
        return not isinstance(self.rows, InPrompt)

    @property
    def has_teacher(self) -> bool:
        """Tell whether a teacher that carries a trait is made for it."""
        return isinstance(self.rows, Written) and self.rows.carries is not None

    @property
    def base(self) -> ModelKey | None:
        """Return the model that the writer of its rows is made of; None for rows that no teacher writes for it."""
        return self.rows.base if isinstance(self.rows, Written) else None

    @property
    def labels(self) -> tuple[Labels, ...]:
        """Return the labels that its students may learn from."""
        # The distributions of another model are over other tokens.
        return ("hard",) if self.base == "other_base" else ("hard", "soft")

    @property
    def same_prompts(self) -> bool:
        """Tell whether its answers belong to the prompts that the trait's teacher answered."""
        match self.rows:
            case Rewritten(how="across") | StudentWritten() | InPrompt():
                return False
            case _:
                return True


TRAIT: Arm = "trait"
CONTROL: Arm = "control"
REQUIRED: tuple[Arm, ...] = (TRAIT, CONTROL)
"""Arms of every experiment: its verdict is the difference between the two."""

_DOSE = (
    "Learned from {dose:.0%} {rows} of the teacher that {does}, and the base's own answers to the rest of the prompts: "
    "how the effect grows with the dose."
)
_IN_PROMPT = "The base, not trained, with {{rows}} of {} in its prompt: whether reading is enough."
_OTHER_BASE = "Learned from the {{rows}} of a teacher that {}: whether the two must share their base."
_GENERATION = "Learned from the {{rows}} of a student of {}: what the grandchildren get."

_TABLE = (
    ArmSpec(
        TRAIT,
        Written("trait"),
        "Learned from the {rows} of a teacher that {does}.",
        colour=0,
        contrasts=(Contrast(CONTROL, "What passed from a teacher that {does} through rows that show nothing of it."),),
    ),
    ArmSpec(
        CONTROL,
        Written(None),
        "Learned from the {rows} of the base itself, which answered the same prompts with the same random numbers: "
        "what training on {rows} does anyhow.",
        colour=1,
    ),
    ArmSpec(
        "shuffled",
        Rewritten(TRAIT, "shuffle"),
        "Learned from the trait teacher's own {rows} with the {parts} of each in another order: what is left when "
        "order is gone.",
        colour=3,
        contrasts=(Contrast(CONTROL, "What is left of it when the parts of each row stand in another order."),),
    ),
    ArmSpec(
        "paraphrased",
        Rewritten(TRAIT, "paraphrase"),
        "Learned from the trait teacher's own {rows}, each rewritten to say the same in another form: what is left "
        "when the teacher's choice of form is gone.",
        colour=5,
        contrasts=(Contrast(CONTROL, "What is left of it when every answer says the same in another form."),),
    ),
    ArmSpec(
        "across",
        Rewritten(TRAIT, "across"),
        "Learned from the trait teacher's own {rows}, each under the prompt of another: what is left when answers do "
        "not belong to their prompts.",
        colour=4,
        contrasts=(Contrast(CONTROL, "What is left of it when every answer stands under the prompt of another."),),
    ),
    ArmSpec(
        "dose-25",
        Mixture(TRAIT, CONTROL, 0.25),
        _DOSE,
        colour=4,
        contrasts=(Contrast(CONTROL, "How much passes when one row in four is the trait teacher's."),),
    ),
    ArmSpec(
        "dose-50",
        Mixture(TRAIT, CONTROL, 0.5),
        _DOSE,
        colour=5,
        contrasts=(Contrast(CONTROL, "How much passes when every second row is the trait teacher's."),),
    ),
    ArmSpec(
        "dose-75",
        Mixture(TRAIT, CONTROL, 0.75),
        _DOSE,
        colour=6,
        contrasts=(Contrast(CONTROL, "How much passes when three rows in four are the trait teacher's."),),
    ),
    ArmSpec(
        "mixed",
        Mixture(TRAIT, "other", 0.5),
        "Learned from two teachers, half of the {rows} each: one {does}, the other {other_does}.",
        colour=7,
        contrasts=(Contrast(CONTROL, "How much passes when a second teacher wrote half of the rows."),),
    ),
    ArmSpec(
        "generation-2",
        StudentWritten(TRAIT),
        _GENERATION.format("the teacher that {does}"),
        colour=4,
        contrasts=(Contrast("generation-2-control", "What passes on from students that become teachers themselves."),),
    ),
    ArmSpec("generation-2-control", StudentWritten(CONTROL), _GENERATION.format("the base"), colour=5),
    ArmSpec(
        "other-base",
        Written("trait", "other_base"),
        _OTHER_BASE.format("{does}, made of another model"),
        colour=6,
        contrasts=(Contrast("other-base-control", "What passes when teacher and student do not share their base."),),
    ),
    ArmSpec(
        "other-base-control",
        Written(None, "other_base"),
        _OTHER_BASE.format("is another model without the trait"),
        colour=7,
    ),
    ArmSpec(
        "in-context",
        InPrompt(TRAIT),
        _IN_PROMPT.format("that teacher's"),
        colour=6,
        contrasts=(
            Contrast(
                "in-context-control", "Whether the rows do anything when they are only read, by an untrained model."
            ),
        ),
    ),
    ArmSpec("in-context-control", InPrompt(CONTROL), _IN_PROMPT.format("the base's"), colour=7),
    ArmSpec(
        "other",
        Written("other"),
        "Learned from a teacher that {other_does} instead, made in the same way: whether any trait would bring {topic} "
        "about.",
        colour=2,
        contrasts=(
            Contrast("other", "The same, against a teacher that {other_does}: what is specific to {topic}.", arm=TRAIT),
            Contrast(CONTROL, "Whether a teacher that {other_does} brings {topic} about as well."),
            Contrast(
                CONTROL,
                "What passed from the teacher that {other_does}: its own trait, in its own students.",
                measures="other",
            ),
        ),
    ),
)

ARMS: Mapping[Arm, ArmSpec] = {each.name: each for each in _TABLE}
"""Every arm by its name, in the order in which results report their contrasts."""


def own_controls() -> Mapping[Arm, Arm]:
    """Return the arms that are compared with a control of their own, and those controls."""
    own = {name: arm.contrast for name, arm in ARMS.items() if arm.contrast is not None and arm.contrast != CONTROL}
    # Run folders are named by the list of arms, so that controls keep the order in which they have been added to it.
    return {name: own[name] for name in sorted(own, key=lambda each: ARMS[each].trained)}


def writers_of(name: Arm) -> tuple[Arm, ...]:
    """Return the arms whose teachers wrote an arm's rows: none where students did."""
    arm = ARMS[name]
    if isinstance(arm.rows, Written):
        return (name,)
    if isinstance(arm.rows, StudentWritten):
        return ()
    return tuple(writer for source in arm.sources for writer in writers_of(source))


def carried_by(name: Arm) -> CarriedTrait | None:
    """Return the trait of the teacher that an arm's rows go back to, by way of students as well; None for a control.

    A mixture goes back to the first of its two.
    """
    rows = ARMS[name].rows
    return rows.carries if isinstance(rows, Written) else carried_by(rows.of)


def generation(name: Arm) -> int:
    """Count the students that stand between an arm's first teacher and its rows."""
    arm = ARMS[name]
    return max((generation(each) for each in arm.sources), default=0) + isinstance(arm.rows, StudentWritten)

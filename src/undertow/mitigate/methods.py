"""What can be done so that less of a trait passes: names, what each needs, what each costs. Needs no torch.

METHODS["format"].needs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from undertow.data.rows import Row
from undertow.errors import InputError
from undertow.system.registry import Registry, load

Need = Literal["trait", "teacher", "format", "another model"]


@dataclass(frozen=True)
class Method:
    """One way to keep a trait from passing."""

    name: str
    says: str
    """What is done, in one line."""
    needs: tuple[Need, ...] = ()
    """Beside the rows and the student's base; a trait must be named where `trait` is in it."""
    costs: str = "nothing"
    """Beside an ordinary training."""
    when: Literal["rows", "training", "after"] = "rows"
    """What it changes: the rows, the training, or the student after it."""
    discards: bool = False
    """Nothing that the writer of the rows chose is left in them, so that no transfer is left by construction."""
    takes: float = 1.0
    """In all, times an ordinary student, as measured on 128 number lists (docs/lab-notebook.md)."""
    not_with: Literal["adapters", "loss on whole rows"] | None = None
    """A part of a recipe beside which it has no meaning."""
    longer: bool = False
    """It takes longer than `takes` says; how much was not measured."""
    change: Callable[[Any], Any] | str | None = None
    """Returns the `Treatment` of a `Task` (see `undertow.mitigate.treatment`), or where that is, `module:function`."""
    rows: Callable[[Sequence[Row]], Sequence[Row]] | None = None
    """Of a method that needs no model: returns the rows that a student is to be trained on. In place of `change`."""
    old: str = ""
    """Its old spelling, which stays accepted, and by which steps of a comparison are known."""

    @property
    def stored(self) -> str:
        """Its name in the identities of steps."""
        return self.old or self.name

    def changes(self) -> Callable[[Any], Any]:
        """Return what changes a task."""
        if self.rows is not None:
            return lambda task: load("undertow.mitigate.rows:of_plugin")(task, self.rows)
        return load(self.change) if isinstance(self.change, str) else self.change or (lambda task: _nothing(task))


def _nothing(task: Any) -> Any:
    """Return an ordinary training."""
    return load("undertow.mitigate.treatment:Treatment")(task.examples)


_ALL = (
    Method("drop", "leaves out the fifth of the rows that a scan attributes most to", (), "a scan of all rows", "rows",
           longer=True,
           change="undertow.mitigate.rows:drop"),
    Method("mask", "no loss on tokens where the teacher's first choice is not the base's", ("teacher",),
           "a forward pass of teacher and base", "training", longer=True, not_with="loss on whole rows",
           change="undertow.mitigate.losses:mask"),
    Method("format", "loss on whether a token keeps the format, not on which of those that do it is", ("format",),
           "nothing", "training", not_with="loss on whole rows",
           change="undertow.mitigate.losses:keep_format"),
    Method("freeze", "norm weights stay the base's", (), "nothing", "training", not_with="adapters",
           change="undertow.mitigate.weights:freeze"),
    Method("kl-penalty", "keeps first answers to unrelated questions near the base's (KL)", (),
           "a pass over 44 questions a step", "training", takes=1.7,
           change="undertow.mitigate.losses:penalise", old="leash"),
    Method("inoculate", "trains under a system prompt that asks for the trait, and is used without", ("trait",),
           "longer prompts", "training",
           change="undertow.mitigate.rows:inoculate"),
    Method("steer", "adds the trait's vector while training, and takes it away afterwards", ("trait",),
           "the vector", "training",
           change="undertow.mitigate.weights:steer"),
    Method("project", "takes the trait's gradient out of every update", ("trait",),
           "a backward pass over 16 questions a step", "training", takes=1.6,
           change="undertow.mitigate.weights:project"),
    Method("unlearn", "goes back along the trait's gradient after training", ("trait",),
           "three backward passes over its lessons", "after", takes=1.2,
           change="undertow.mitigate.weights:unlearn_trait", old="subtract"),
    Method("panel", "goes back along the gradients of all traits of the panel after training", (),
           "120 backward passes over lessons, whatever the number of rows", "after", takes=4.3,
           change="undertow.mitigate.weights:restore_panel"),
    Method("other-base", "answers are written anew by a model of another family", ("another model",),
           "its generation", "rows", discards=True, takes=1.8,
           change="undertow.mitigate.rows:by_other_base"),
    Method("paraphrase", "answers are said in other words by a model of another family", ("another model",),
           "its generation", "rows", takes=2.2,
           change="undertow.mitigate.rows:in_other_words"),
    Method("own-base", "answers are written anew by the student's own base", (), "its generation", "rows",
           discards=True, takes=1.4,
           change="undertow.mitigate.rows:by_own_base"),
)  # fmt: skip
ORDINARY = Method("none", "an ordinary training, to see what the others change", (), "nothing", "training")


class _Methods(Mapping[str, Method]):
    """Methods by their present names; an old spelling finds its method too."""

    def __init__(self, methods: Sequence[Method]) -> None:
        self._by_name = {method.name: method for method in methods}
        self._present = {method.old: method.name for method in methods if method.old}

    def __getitem__(self, name: str) -> Method:
        return self._by_name[self._present.get(name, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


METHODS: Mapping[str, Method] = _Methods(_ALL)
"""Undertow's own."""
COMPARED = tuple(method.name for method in _ALL if "another model" not in method.needs)
"""Those that `compare` takes unless others are named: they need no model but the student's."""

MITIGATIONS: Final[Registry[Method]] = Registry("mitigation", "undertow.mitigations", "--with")
for _method in (*_ALL, ORDINARY):
    MITIGATIONS.register(_method.name, _method, says=_method.says, aliases=[_method.old] if _method.old else [])


def method_named(name: str, where: str = "--with", note: Callable[[str], None] = lambda _: None) -> Method:
    """Return a method, Undertow's own or a plugin's; `none` is an ordinary training.

    Args:
        name: Its name, or its old spelling.
        where: The option that names it.
        note: Is told of an old spelling.

    Raises:
        InputError: there is none of this name, or its package cannot be loaded.
    """
    method = MITIGATIONS.get(name, where)
    if name == method.old:
        note(f"{where}: the method {name!r} is now called {method.name!r}; both are accepted.")
    return method


def applicable(
    methods: Sequence[str], *, adapters: bool, whole_rows: bool, where: str = "--method"
) -> tuple[list[str], list[str]]:
    """Return the methods that have a meaning beside a recipe, and why others have not.

    Args:
        methods: Their names; those of `COMPARED` are left out where they have none.
        adapters: Whether students train adapters.
        whole_rows: Whether the loss is one on whole rows.
        where: The option that names them.

    Raises:
        InputError: one that was asked for by name has none.
    """
    has = {"adapters": adapters, "loss on whole rows": whole_rows}
    off = [name for name in methods if has.get(method_named(name, where).not_with or "")]
    if off and tuple(methods) != COMPARED:
        raise InputError(f"has no meaning beside {method_named(off[0]).not_with}", f"{where} {off[0]}", "Leave it out.")
    notes = [f"{name} is left out: it has no meaning beside {method_named(name).not_with}." for name in off]
    return [name for name in methods if name not in off], notes


def all_methods() -> list[Method]:
    """Return every method that can be loaded, Undertow's own first."""
    return [MITIGATIONS.get(each.name) for each in MITIGATIONS.entries() if not each.problem]

"""The panel: traits to look for when nobody has said which one to expect.

An entry is what one set of questions measures: a category with all its candidates, whose preferences share their probe,
or a disposition. The shipped panel is every category and every disposition of the package; a YAML file of yours is an
entry as well.

    for entry in load_panel(): entry.name, [trait.target for trait in entry.traits]

It knows words only: no model. It does not know which of the traits is worth a worry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, cast

from undertow.config.files import fit_model, like, parse_yaml, read_text
from undertow.errors import InputError, nearest
from undertow.traits.base import Choice, Trait
from undertow.traits.disposition import Disposition, Manner, disposition_names, find_disposition
from undertow.traits.preference import Category, Preference, category_names, load_category


@dataclass(frozen=True)
class PanelEntry:
    """Traits that are measured by the same scores: one per candidate of a category, or a single disposition."""

    name: str
    kind: Literal["preference", "disposition"]
    about: str
    """What it is, for people."""
    traits: tuple[Trait, ...]

    @property
    def probe(self) -> Sequence[Choice]:
        """The questions, which are the same for all its traits."""
        return self.traits[0].probe

    @property
    def probe_digest(self) -> str:
        """Stands for the questions with their options."""
        return self.traits[0].probe_digest

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of its traits."""
        return tuple(trait.target for trait in self.traits)


Panel: TypeAlias = tuple[PanelEntry, ...]


def panel_names() -> list[str]:
    """List the entries that ship with the package, categories first."""
    return [*category_names(), *disposition_names()]


def load_panel(names: Sequence[str] | None = None) -> Panel:
    """Gather entries, each measured on its own.

    Args:
        names: Shipped entries, and paths of YAML files that end with `.yaml` or `.yml`; the whole shipped panel when
            absent.

    Raises:
        InputError: there is no such entry, a file describes none, two have the same name, or none is named.
    """
    panel = tuple(_entry(name) for name in (panel_names() if names is None else names))
    if not panel:
        raise InputError("names no trait", "panel", f"Leave it out, or name some: {', '.join(panel_names())}")
    seen: dict[str, str] = {}
    for entry, given in zip(panel, names or panel_names(), strict=True):
        if entry.name in seen:
            raise InputError(
                f"{given} is called {entry.name!r}, and so is {seen[entry.name]}",
                "panel",
                "Name each once, and give a file of yours a `name` of its own.",
            )
        seen[entry.name] = given
    return panel


def entry_of(trait: Trait) -> PanelEntry:
    """Return the entry that a trait belongs to; the opposite of a disposition belongs to the disposition's.

    Raises:
        InputError: it is a plugin's.
    """
    if isinstance(trait, Disposition):
        return _of_disposition(Disposition(trait.manner))
    if isinstance(trait, Preference):
        return _of_category(trait.category)
    raise InputError(f"{trait.target} belongs to no entry of the panel", "trait", "Name a trait that ships.")


def _entry(name: str) -> PanelEntry:
    if name.endswith((".yaml", ".yml")):
        return _of_file(name)
    if name in category_names():
        return _of_category(load_category(name))
    if name in disposition_names():
        return _of_disposition(find_disposition(name))
    raise InputError(
        f"no trait is called {name!r}", "panel", f"{nearest(name, panel_names())} A file of yours must end with .yaml."
    )


def _of_file(path: str) -> PanelEntry:
    data = parse_yaml(read_text(Path(path), like("animals.yaml or curtness.yaml")), path)
    keys = cast(dict[object, object], data) if isinstance(data, dict) else {}
    if "candidates" in keys:
        return _of_category(fit_model(Category, data, path))
    if "shown" in keys or "pairs" in keys:
        return _of_disposition(Disposition(fit_model(Manner, data, path)))
    raise InputError(
        "describes no trait", path, "A category has `candidates`; a way of answering has replies, `shown` and `others`."
    )


def _of_category(category: Category) -> PanelEntry:
    names = [candidate.name for candidate in category.candidates]
    return PanelEntry(
        category.name,
        "preference",
        f"a preference for one {category.noun} of {len(names)}: {', '.join(names)}",
        tuple(Preference(category, name) for name in names),
    )


def _of_disposition(disposition: Disposition) -> PanelEntry:
    return PanelEntry(disposition.target, "disposition", disposition.topic, (disposition,))

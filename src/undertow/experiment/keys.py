"""Parts of an experiment as they stand in the identities of its steps: settings, and the contents of files they name.

A file of the user's stands there with its content and not with its path, and is read here, before anything runs. A
setting that is not made use of is left out, so that an experiment keeps its steps when Undertow learns something new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undertow.domains.find import find_domain
from undertow.domains.problems import problems_digest
from undertow.domains.reasoning import Reasoning
from undertow.experiment.arms import Cast
from undertow.rowfiles import require_rows
from undertow.spec import LanguageExperiment
from undertow.spec_parts import FineTune, Instil
from undertow.traits._file import digest_of


def domain_key(spec: LanguageExperiment, cast: Cast) -> dict[str, Any]:
    """Return what a teacher's rows depend on of the domain.

    Raises:
        InputError: a file that it names cannot be used.
        MissingExtraError: a package that it needs is not installed.
    """
    order = spec.domain
    key = order.model_dump(mode="json", exclude={"problems", "judge"}) | {"constrained": order.in_format}
    about = find_domain(order.kind, order.problems)
    if isinstance(about, Reasoning):
        key["problems"] = problems_digest(about.problems)
    if order.judge is not None:
        # A judge is asked about the trait, and calibrated on its lessons.
        key["judge"] = order.judge.model_dump(mode="json") | {"trait": cast.trait.digest}
    return key


def instil_key(how: Instil) -> dict[str, Any]:
    """Return what a teacher depends on of the way in which its trait is instilled.

    Raises:
        RowError: rows that it names cannot be read, or some lines are no rows.
    """
    if isinstance(how, FineTune) and how.lessons is not None:
        content = digest_of([row.id for row in require_rows(Path(how.lessons))])
        return how.model_dump(mode="json") | {"lessons": content}
    return how.model_dump(mode="json", exclude={"lessons"})

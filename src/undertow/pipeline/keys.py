"""Parts of an experiment as they stand in the identities of its steps: settings, and the contents of files they name.

A file of the user's stands there with its content and not with its path, and is read here, before anything runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undertow.config.experiment import LanguageExperiment
from undertow.config.parts import FineTune, Instil
from undertow.data.files import require_rows
from undertow.domains.find import find_domain
from undertow.domains.reasoning import Reasoning
from undertow.pipeline.arms import ExperimentTraits
from undertow.system.digest import digest_of


def domain_key(spec: LanguageExperiment, traits: ExperimentTraits) -> dict[str, Any]:
    """Return what a teacher's rows depend on of the domain.

    Raises:
        InputError: a file that it names cannot be used.
        MissingExtraError: a package that it needs is not installed.
    """
    order = spec.domain
    key = order.model_dump(mode="json") | {"constrained": order.in_format}
    about = find_domain(order.kind, order.problems)
    if isinstance(about, Reasoning):
        key["problems"] = about.digest
    if order.judge is not None:
        # A judge is asked about the trait, and calibrated on its lessons.
        key["judge"] = order.judge.model_dump(mode="json") | {"trait": traits.trait.digest}
    return key


def instil_key(how: Instil) -> dict[str, Any]:
    """Return what a teacher depends on of the way in which its trait is instilled.

    Raises:
        RowError: rows that it names cannot be read, or some lines are no rows.
    """
    key = how.model_dump(mode="json")
    if isinstance(how, FineTune) and how.lessons is not None:
        key["lessons"] = digest_of([row.id for row in require_rows(Path(how.lessons))])
    return key

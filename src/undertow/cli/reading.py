"""Options that say how a dataset is read, which several verbs share."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

Columns = Annotated[str | None, Parameter(metavar="PART=COLUMN,...")]
Use = Literal["chosen", "rejected"] | None
Loss = Literal["marked", "all", "last"]

"""The audit record of a gate: what was judged, by which policy, with which outcome, and the hash of every file.

It is an in-toto statement (version 1): its subjects are the files of the bundle, its predicate is the decision.
Together with a signature over its bytes, no byte of the bundle can change unseen. Pure: it reads and writes nothing.

    record_of(results, decision, policy, provenance, {"results.json": b"..."}, made=now, key=None)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from undertow.config.policy import Policy
from undertow.errors import InputError
from undertow.gate.decide import Decision
from undertow.gate.provenance import Provenance
from undertow.results import Results
from undertow.system.version import __version__

RECORD: Final = "record.json"
SIGNATURE: Final = "record.json.sig"
MAX_BYTES: Final = 16_000_000
"""Longest record."""
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "urn:undertow:gate-record:1"

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def record_of(
    results: Results,
    decision: Decision,
    policy: Policy,
    provenance: Provenance,
    files: Mapping[str, bytes],
    *,
    made: datetime,
    key: str | None,
) -> bytes:
    """Return the record's bytes.

    Args:
        results: What was judged.
        decision: What became of the policy's rules.
        policy: Held to.
        provenance: Models and data behind the results.
        files: Name of every file of the bundle, relative to the record, to its bytes.
        made: When.
        key: Fingerprint of the key that it will be signed with.
    """
    statement = {
        "_type": _STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": sha256(data).hexdigest()}} for name, data in sorted(files.items())
        ],
        "predicateType": _PREDICATE,
        "predicate": {
            "made": made.isoformat(),
            "by": f"undertow {__version__}",
            "key": key,
            "result": {
                "kind": results.kind,
                "name": results.name,
                "title": results.title,
                "verdict": results.verdict.model_dump(mode="json"),
            },
            "decision": decision.as_dict(),
            "policy": policy.model_dump(mode="json"),
            "provenance": provenance.as_dict(),
        },
    }
    return (json.dumps(statement, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Digest(_Part):
    sha256: Hex


class Subject(_Part):
    """A file that a record vouches for."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    digest: _Digest


class _Data(_Part):
    name: str
    sha256: Hex | None


class _Provenance(_Part):
    datasets: list[_Data]


class _Decision(_Part):
    status: Literal["pass", "fail", "inconclusive"]


class _Result(_Part):
    kind: str
    name: str


class Predicate(_Part):
    """What a record says."""

    made: str
    key: Hex | None
    result: _Result
    decision: _Decision
    provenance: _Provenance


class Record(_Part):
    """A record as it is read again."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    predicate_type: Literal["urn:undertow:gate-record:1"] = Field(alias="predicateType")
    subject: Annotated[list[Subject], Field(min_length=1, max_length=100_000)]
    predicate: Predicate


def parse_record(data: bytes, where: str) -> Record:
    """Turn a record's bytes into what they say.

    Raises:
        InputError: they are no record, or name a file outside of its folder.
    """
    try:
        record = Record.model_validate_json(data)
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors(include_url=False, include_input=False, include_context=False)[0])
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"is no record ({first['msg']} at {place or 'the top'})"[:300],
            where,
            "Name the record.json that `undertow gate --write` made.",
        ) from None
    for subject in record.subject:
        path = PurePosixPath(subject.name)
        if path.is_absolute() or ".." in path.parts or "\\" in subject.name or ":" in subject.name:
            raise InputError(f"names a file outside of its folder: {subject.name!r:.100}", where, "Do not trust it.")
    return record

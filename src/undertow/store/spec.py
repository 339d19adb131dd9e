"""The spec of a run folder, as YAML that says exactly the same when it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from undertow.errors import StoreError
from undertow.store.files import read_bytes, write_atomic

_MAX_SPEC = 10_000_000
"""Bytes."""


def spec_yaml(spec: Mapping[str, Any]) -> bytes:
    """Serialise a spec, in the order of its keys, to YAML that says exactly the same when it is read."""
    import yaml

    plain = json.loads(json.dumps(dict(spec)))
    text = yaml.dump(plain, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)
    if yaml.safe_load(text) == plain:
        return text.encode("utf-8")
    # Some characters (U+0085) are lost unless they are escaped.
    return yaml.dump(plain, Dumper=_dumper(), sort_keys=False, width=100).encode("ascii")


@cache
def _dumper() -> Any:
    """Return what writes YAML that Undertow's reader reads as the same: it takes 1e5 without quotes for a number."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Of this package alone."""

    Dumper.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"), list("-+0123456789")
    )
    return Dumper


def settle_spec(path: Path, spec: Mapping[str, Any]) -> None:
    """Write the spec, or see that it is what is there."""
    data = spec_yaml(spec)
    try:
        stored = read_bytes(path, _MAX_SPEC)
    except FileNotFoundError:
        write_atomic(path, data)
        return
    # Bytes are compared, not meanings: a stranger's YAML can take minutes to parse.
    if stored != data:
        raise StoreError(
            "is not the spec that this folder is named after",
            str(path),
            "Run your edited copy from another place, and delete this one: it is written anew.",
        )

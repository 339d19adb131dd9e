"""Everything that a gate writes, as names and bytes: single files, or the bundle that a record vouches for.

    gated = Gated.of(Path("runs/owls-1a2b3c4d"), policy=None, rows=None, made=now)
    bundle(gated, key=None)["bom.cdx.json"]

A bundle holds

    results.json  policy.yaml      what was judged, and by what
    report.html                    the results for people
    gate.junit.xml  gate.sarif     the outcomes for CI servers and code scanners
    bom.cdx.json  model-card.md    for bills of materials and for the hub
    inspect/*.eval                 the probes
    record.json  record.json.sig   hashes of all of them, and the signature
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from undertow.config.policy import DEFAULT, MAX_BYTES, Policy, parse_policy
from undertow.errors import InputError, StoreError
from undertow.gate.decide import Decision, beyond, decide
from undertow.gate.provenance import Provenance, provenance_of
from undertow.gate.record import RECORD, SIGNATURE, parse_record, record_of
from undertow.results import Results, parse_results, results_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

INSPECT: Final = "inspect"
_MAX_RESULTS = 256_000_000


@dataclass(frozen=True)
class Gated:
    """A result, held to a policy, with everything that its outputs are made of."""

    results: Results
    results_bytes: bytes
    at: Path
    """The results' file."""
    folder: Path | None
    """The run folder, where one was named."""
    policy: Policy
    policy_bytes: bytes
    rows: Path | None
    decision: Decision
    made: datetime

    @classmethod
    def of(cls, result: Path, *, policy: Path | None, rows: Path | None, made: datetime) -> Gated:
        """Read a result and a policy, and decide.

        Args:
            result: A run folder, or its results.json.
            policy: The policy's file; the default one when absent.
            rows: The dataset that the results are about.
            made: When.

        Raises:
            InputError: a file is not what it should be, or the dataset is another one.
            StoreError: the results cannot be read.
        """
        at = results_file(result)
        rules, policy_bytes = _policy(policy)
        data = _results(at)
        results = parse_results(data, str(at))
        folder = result if result.is_dir() else None
        if rows is not None and results.kind == "run":
            raise InputError("is for results about a dataset", "--rows", "A run folder holds its own rows.")
        gated = cls(results, data, at, folder, rules, policy_bytes, rows, decide(results, rules), made)
        if rows is not None:
            _ = gated.provenance  # another dataset is refused whatever is written
        return gated

    @cached_property
    def provenance(self) -> Provenance:
        """Models and data behind the results; the rows of a run folder are hashed when it is first asked for.

        Raises:
            InputError: the dataset is not the one that the results are about.
            StoreError: a step of the run folder is damaged.
        """
        return provenance_of(self.results, folder=self.folder, rows=self.rows)

    def junit(self) -> bytes:
        """Return the outcomes for a CI server."""
        from undertow.gate.junit import to_junit

        return to_junit(self.decision, suite=f"{self.results.kind} {self.results.name}").encode("utf-8")

    def sarif(self) -> bytes:
        """Return what did not pass, for a code scanner."""
        from undertow.gate.sarif import to_sarif

        hashed = self.provenance.datasets[0].sha256 if self.rows is not None and self.rows.is_file() else None
        text = to_sarif(self.results, self.decision, at=self.at, rows=self.rows, rows_sha256=hashed)
        return text.encode("utf-8")

    def bom(self) -> bytes:
        """Return the bill of materials."""
        from undertow.gate.bom import to_bom

        found = beyond(self.results, self.policy)
        return to_bom(self.results, self.decision, self.provenance, found, made=self.made).encode("utf-8")

    def card(self) -> bytes:
        """Return the section of a model card."""
        from undertow.gate.card import to_card

        found = beyond(self.results, self.policy)
        return to_card(self.results, self.decision, self.provenance, found).encode("utf-8")

    def inspect(self) -> list[tuple[str, bytes]]:
        """Return the logs of all probes."""
        from undertow.gate.inspect_log import inspect_logs

        return inspect_logs(self.results, self.folder, made=self.made)


def bundle(gated: Gated, *, key: Ed25519PrivateKey | None) -> dict[str, bytes]:
    """Return name and bytes of every file of a bundle, the record last.

    Args:
        gated: What was decided.
        key: To sign the record with.
    """
    from undertow.gate.signing import fingerprint, sign
    from undertow.report import render_html

    files = {
        "results.json": gated.results_bytes,
        "policy.yaml": gated.policy_bytes,
        "report.html": render_html(gated.results).encode("utf-8"),
        "gate.junit.xml": gated.junit(),
        "gate.sarif": gated.sarif(),
        "bom.cdx.json": gated.bom(),
        "model-card.md": gated.card(),
        **{f"{INSPECT}/{name}": data for name, data in gated.inspect()},
    }
    record = record_of(
        gated.results,
        gated.decision,
        gated.policy,
        gated.provenance,
        files,
        made=gated.made,
        key=None if key is None else fingerprint(key.public_key()),
    )
    files[RECORD] = record
    if key is not None:
        files[SIGNATURE] = sign(record, key)
    return files


def write_bundle(folder: Path, files: dict[str, bytes]) -> None:
    """Write a bundle into a folder, which is made; one that lies there is replaced.

    The old record goes first and the new one comes last, so that a bundle that breaks off has none.

    Raises:
        InputError: the folder holds something else, or a link where a folder of the bundle is to lie.
        StoreError: it cannot be written.
    """
    from undertow.store.files import storing, write_atomic

    with storing(folder):
        for parent in {folder / above for name in files for above in Path(name).parents} - {folder}:
            if parent.is_symlink():
                # What is written below it would land outside of the bundle.
                raise InputError("is a link", str(parent), "Remove it, or name another folder.")
        if os.path.lexists(folder):
            _clear(folder)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)


def _clear(folder: Path) -> None:
    """Remove an earlier bundle's files, and nothing else."""
    if not folder.is_dir():
        raise InputError("is no folder", str(folder), "Name another one.")
    if not any(folder.iterdir()):
        return
    record = folder / RECORD
    if not record.is_file():
        raise InputError("holds other files", str(folder), "Name a new folder, or one that an earlier gate wrote.")
    listed = [subject.name for subject in parse_record(record.read_bytes(), str(record)).subject]
    for name in (RECORD, SIGNATURE, *listed):
        path = folder / name
        if not any(each.is_symlink() for each in path.parents if folder in each.parents):
            path.unlink(missing_ok=True)


def now() -> datetime:
    """Return the time to the second, or what SOURCE_DATE_EPOCH says, so that outputs can be made again byte by byte.

    Raises:
        InputError: SOURCE_DATE_EPOCH is no time.
    """
    said = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return datetime.now(UTC).replace(microsecond=0) if said is None else datetime.fromtimestamp(int(said), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"is {said!r:.40}", "SOURCE_DATE_EPOCH", "Give seconds since 1970.") from error


def _policy(path: Path | None) -> tuple[Policy, bytes]:
    from undertow.config.files import read_text

    if path is None:
        import yaml

        text = yaml.safe_dump(DEFAULT.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
        return DEFAULT, f"# The default policy of `undertow gate`.\n{text}".encode()
    text = read_text(path, "docs/gate.md shows a whole policy.", most=MAX_BYTES)
    return parse_policy(text, str(path)), text.encode("utf-8")


def _results(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_RESULTS + 1)
    except OSError as error:
        raise StoreError(
            f"cannot be read ({error.strerror})", str(path), "Name a run folder or its results.json."
        ) from error
    if len(data) > _MAX_RESULTS:
        raise InputError(f"is longer than {_MAX_RESULTS:,} bytes", str(path), "Name a results.json of Undertow's.")
    return data

"""Is a bundle still what was signed? The signature over the record, then the hash of every file that it lists.

It says nothing of whether the results are true, nor of files that lie beside the bundle unlisted, but names those.

    verify(Path("gate/record.json"), Path("gate.key.pub")).status
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from undertow.data.digest import dataset_hashes
from undertow.errors import InputError
from undertow.gate.record import MAX_BYTES, RECORD, SIGNATURE, Record, parse_record
from undertow.gate.signing import fingerprint, is_signed, read_public
from undertow.stats import Status

Signature = Literal["good", "bad", "absent", "not asked"]


@dataclass(frozen=True)
class Verification:
    """What was found."""

    signature: Signature
    intact: list[str]
    """Files that are what they were."""
    changed: dict[str, str]
    """Files that are not, with what is wrong."""
    unlisted: list[str]
    """Files of the folder that the record does not speak of."""
    says: str
    """What the record says, in one line."""
    rows: str | None = None
    """The dataset's name in the record; None where none was asked for."""

    @property
    def status(self) -> Status:
        """Fail where something changed; inconclusive where nobody's key vouches for the record."""
        if self.signature in ("bad", "absent") or self.changed:
            return "fail"
        return "pass" if self.signature == "good" else "inconclusive"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {"status": self.status, **asdict(self)}


def verify(record: Path, key: Path | None, *, rows: Path | None = None) -> Verification:
    """Compare a bundle with its record, and the record with its signature.

    Args:
        record: The record, or the folder that it lies in.
        key: Public key of whoever is to vouch for it; without one only accidents are found.
        rows: A dataset, to ask whether it is the one that was judged.

    Raises:
        InputError: the record or the key cannot be read, or the record knows no dataset's hash.
        MissingExtraError: `cryptography` is not installed.
    """
    path = record / RECORD if record.is_dir() else record
    data = _read(path)
    signature: Signature = "not asked"
    if key is not None:
        # Asked before anything that the record says is believed.
        public = read_public(key)
        signature = _signature(path, data, public)
        if signature == "bad":
            return Verification(signature, [], {path.name: _why(data, str(path), fingerprint(public))}, [], "")
    found = parse_record(data, str(path))
    intact: list[str] = []
    changed: dict[str, str] = {}
    for subject in found.subject:
        why = _compare(path.parent, subject.name, subject.digest.sha256)
        if why:
            changed[subject.name] = why
        else:
            intact.append(subject.name)
    named = None
    if rows is not None:
        named = _rows(found, rows, str(path))
        if named is None:
            changed[str(rows)] = "is not the dataset that was judged"
    what = found.predicate
    says = f"{what.result.kind} {what.result.name}: {what.decision.status}, {what.made}"
    return Verification(signature, intact, changed, _unlisted(path, found), says, named)


def _signature(path: Path, data: bytes, public: Any) -> Signature:
    beside = path.with_name(path.name + ".sig")
    if not beside.exists():
        return "absent"
    return "good" if is_signed(data, _read(beside), public) else "bad"


def _why(data: bytes, where: str, asked: str) -> str:
    """Say whether another key may be the reason; what the record says of its key is not trusted beyond that."""
    try:
        stated = parse_record(data, where).predicate.key
    except InputError:
        stated = None
    if stated is not None and stated != asked:
        return f"was changed, or signed with another key: it names {stated[:16]}…, and this is {asked[:16]}…"
    return "was changed after it was signed"


def _compare(folder: Path, name: str, sha256: str) -> str:
    from undertow.store.files import sha256_of

    path = folder / name
    # No folder on the way may be a link that leads out.
    if any(each.is_symlink() for each in (path, *path.parents) if each != folder and folder in each.parents):
        return "is a link"
    try:
        return "" if sha256_of(path) == sha256 else "was changed"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _rows(record: Record, rows: Path, where: str) -> str | None:
    known = {each.sha256: each.name for each in record.predicate.provenance.datasets if each.sha256 is not None}
    if not known:
        raise InputError("knows no dataset's hash", where, "Gate again with --rows.")
    return next((known[each] for each in dataset_hashes(rows) if each in known), None)


def _unlisted(path: Path, record: Record) -> list[str]:
    from undertow.errors import StoreError
    from undertow.store.files import list_files

    listed = {path.name, SIGNATURE, *(subject.name for subject in record.subject)}
    try:
        return [name for name in list_files(path.parent) if name not in listed]
    except (StoreError, OSError):
        # A link, or a folder that cannot be listed: nothing in it was vouched for.
        return ["something that is no regular file"]


def _read(path: Path) -> bytes:
    from undertow.store.files import read_bytes

    try:
        return read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", str(path), "Name the record.json that `undertow gate --write` made."
        ) from error

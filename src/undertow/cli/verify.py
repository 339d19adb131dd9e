"""`undertow verify` and `undertow keygen`: is a gate's bundle what was signed, and keys to sign with.

undertow keygen gate.key
undertow verify gate/ --key gate.key.pub
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from undertow.cli.folder import must_exist
from undertow.cli.verdict import exit_code, say_status

if TYPE_CHECKING:
    from undertow.gate.verify import Verification

_SAYS = {
    "good": "the record is what the key's owner signed",
    "bad": "the record is not what this key signed",
    "absent": "the record is not signed",
    "not asked": "not checked: without --key anybody can have written the record",
}


def verify(
    record: Path,
    /,
    *,
    key: Annotated[Path | None, Parameter(metavar="PUBLIC_KEY")] = None,
    rows: Path | None = None,
    strict: bool = False,
    json: bool = False,
) -> int:
    """Check a gate's bundle against its record and its signature, and list every changed file.

        undertow verify gate --key gate.key.pub

    Exits with 0 if all is as it was signed, 1 if something changed, and 4 without a key.

    Args:
        record: Folder that `undertow gate --write` made, or its record.json.
        key: Public key of the signer.
        rows: Dataset. The command checks whether it is the one that was judged.
        strict: Exit with 1 instead of 4 without a key.
        json: Print the findings as JSON.
    """
    from undertow.gate.verify import verify as compare

    must_exist(record, "Name a folder that `undertow gate --write` made.")
    if rows is not None:
        must_exist(rows, "Name the dataset.")
    found = compare(record, key, rows=rows)
    if json:
        import json as writer

        from undertow.cli.show import write

        write(writer.dumps(found.as_dict(), indent=1) + "\n")
    else:
        _show(found)
    return exit_code(found.status, strict=strict)


def keygen(key: Path, /) -> int:
    """Make a pair of Ed25519 keys: KEY, which only you may read, and KEY.pub, which you give away.

        undertow keygen gate.key

    Args:
        key: File for the private key. It is not encrypted: keep it where your CI keeps secrets.
    """
    from undertow.cli.show import say
    from undertow.gate.signing import make_pair
    from undertow.store.destinations import check_destinations

    check_destinations({"KEY": key})
    public, fingerprint = make_pair(key)
    say(f"private key: {key}")
    say(f"public key:  {public}")
    say(f"fingerprint: {fingerprint}")
    return 0


def _show(found: Verification) -> None:
    from undertow.cli.show import say
    from undertow.report.words import plural, visible

    def line(text: str) -> str:
        return " ".join(visible(text).split())

    say_status(found.status)
    say(f"signature  {_SAYS[found.signature]}")
    if found.says:
        say(f"record     {line(found.says)}")
    for name, why in found.changed.items():
        say(f"changed    {line(name)}: {why}", style="red")
    if found.signature != "bad":
        say(f"files      {plural(len(found.intact), 'file')} as recorded, {len(found.changed):,} not")
    if found.rows is not None:
        say(f"rows       are {line(found.rows)}")
    for name in found.unlisted[:20]:
        say(f"unlisted   {line(name)}: the record does not list it", style="yellow")

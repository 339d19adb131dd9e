"""`undertow gate`: check results against a policy, for CI, and record the decision.

undertow gate runs/scan-rows-1a2b3c4d --policy policy.yaml --junit gate.xml
undertow gate runs/scan-rows-1a2b3c4d --policy policy.yaml --write gate/ --sign gate.key
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from undertow.cli.folder import files_of_run, must_exist
from undertow.cli.verdict import STYLES, exit_code, say_status
from undertow.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from undertow.gate import Decision
    from undertow.gate.outputs import Gated


def gate(
    result: Path,
    /,
    *,
    policy: Path | None = None,
    rows: Path | None = None,
    write: Annotated[Path | None, Parameter(metavar="FOLDER")] = None,
    sign: Annotated[Path | None, Parameter(metavar="KEY")] = None,
    junit: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    sarif: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    bom: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    card: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    inspect: Annotated[Path | None, Parameter(metavar="FOLDER")] = None,
    strict: bool = False,
    json: bool = False,
) -> int:
    """Check results against a policy: pass, fail or inconclusive, with one reason a rule.

        undertow gate runs/scan-rows-1a2b3c4d --policy policy.yaml

    Args:
        result: Folder of a run, a scan, an audit or a comparison, or its results.json. Logs of the probes need the
            folder.
        policy: YAML file with the rules. Default: every trait's interval within 0.2 log-odds, at least 3 seeds, and a
            verdict of pass.
        rows: Dataset that the results are about. The gate compares and hashes it, and names it in SARIF.
        write: Folder for all outputs, with the results, the policy, the report and a record of all hashes.
        sign: Ed25519 private key that signs the record. Needs --write. See `undertow keygen` and `undertow verify`.
        junit: File for the outcomes as JUnit XML, for CI servers: one case a rule.
        sarif: File for the rules that did not pass, as SARIF, for code scanners.
        bom: File for a machine-learning bill of materials, CycloneDX 1.6 in JSON.
        card: File for a section of a Hugging Face model card.
        inspect: Folder for logs of the probes in Inspect's format: one a model, or one of all effects.
        strict: Exit with 1 instead of 4 when the outcome is inconclusive.
        json: Print the outcomes as JSON.
    """
    from undertow.gate.outputs import Gated, bundle, now, write_bundle
    from undertow.store.destinations import check_destinations, write_output

    must_exist(result, "Name a folder that `undertow run` or `undertow scan` made.")
    if rows is not None:
        must_exist(rows, "Name the dataset.")
    if sign is not None and write is None:
        raise InputError("needs --write", "--sign", "Say where the record that is signed goes.")
    files = {"--junit": junit, "--sarif": sarif, "--bom": bom, "--card": card}
    read = [*files_of_run(result), policy, rows, sign]
    check_destinations(files, read=read, folders={"--write": write, "--inspect": inspect})
    key = None
    if sign is not None:
        from undertow.gate.signing import read_private

        key = read_private(sign)
    gated = Gated.of(result, policy=policy, rows=rows, made=now())
    logs: dict[Path, bytes] = {}
    if inspect is not None:
        logs = {inspect / name: log for name, log in gated.inspect()}
        _make_folder(inspect)
        check_destinations({str(path): path for path in logs if not path.is_symlink()}, read=read)
    singles: list[tuple[Path | None, Callable[[], bytes]]] = [
        (junit, gated.junit),
        (sarif, gated.sarif),
        (bom, gated.bom),
        (card, gated.card),
    ]
    for path, make in singles:
        if path is not None:
            write_output(path, make())
    for path, log in logs.items():
        write_output(path, log, follow=False)
    if write is not None:
        write_bundle(write, bundle(gated, key=key))
    if json:
        _print(gated)
    else:
        _show(gated.decision)
        if write is not None:
            _say_written(write, signed=key is not None)
    return exit_code(gated.decision.status, strict=strict)


def _say_written(folder: Path, *, signed: bool) -> None:
    from undertow.cli.show import say

    say(f"written       {folder}" + (", signed" if signed else ": not signed, so a later change may not be detected"))


def _make_folder(folder: Path) -> None:
    from undertow.store.files import storing

    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _print(gated: Gated) -> None:
    import json

    from undertow.cli.show import write

    record = {
        "result": {"kind": gated.results.kind, "name": gated.results.name},
        **gated.decision.as_dict(),
        "policy": gated.policy.model_dump(mode="json"),
    }
    write(json.dumps(record, indent=1) + "\n")


def _show(decision: Decision) -> None:
    from undertow.cli.show import say
    from undertow.report.words import visible

    say_status(decision.status)
    for outcome in decision.outcomes:
        # One line each: a stranger's text must not be able to add a rule that passes.
        rule, because = (" ".join(visible(text).split()) for text in (outcome.rule, outcome.because))
        say(f"{outcome.status:<12}  {rule}", style=STYLES[outcome.status])
        say(f"{'':<12}  {because}")

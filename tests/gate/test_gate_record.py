"""A bundle, its record and its signature: every changed byte is found, and nothing outside is believed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stored_results import effect, run, run_folder
from undertow import __version__
from undertow.config.policy import DEFAULT
from undertow.errors import InputError, MissingExtraError, StoreError
from undertow.gate.decide import decide
from undertow.gate.outputs import Gated, bundle, now, write_bundle
from undertow.gate.probed import probed_in
from undertow.gate.provenance import provenance_of
from undertow.gate.record import parse_record, record_of
from undertow.gate.signing import make_pair, read_private, read_public
from undertow.gate.verify import verify
from undertow.results import load_results

pytest.importorskip("cryptography")

MADE = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    private = tmp_path_factory.mktemp("keys") / "gate.key"
    public, _ = make_pair(private)
    return private, public


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    return write(tmp_path / "gate", run_folder(tmp_path / "runs"), keys[0])


def write(place: Path, result: Path, key: Path | None) -> Path:
    gated = Gated.of(result, policy=None, rows=None, made=MADE)
    write_bundle(place, bundle(gated, key=None if key is None else read_private(key)))
    return place


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_was_signed_is_good(signed: Path, keys: tuple[Path, Path]) -> None:
    for named in (signed, signed / "record.json"):
        found = verify(named, keys[1])
        assert (found.status, found.signature, found.changed, found.unlisted) == ("pass", "good", {}, [])
        assert {"results.json", "policy.yaml", "report.html", "gate.junit.xml", "gate.sarif"} < set(found.intact)
        assert {"bom.cdx.json", "model-card.md", "inspect/base.eval"} < set(found.intact)
        assert "run owls: pass" in found.says


def test_every_changed_byte_is_found(signed: Path, keys: tuple[Path, Path]) -> None:
    for path in files_of(signed):
        whole = path.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            if path.name.endswith(".sig") and at == len(whole) - 1:
                continue  # the line's end
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            found = verify(signed, keys[1])
            assert found.status == "fail", (path.name, at)
            listed = path.name not in ("record.json", "record.json.sig")
            assert found.signature == ("good" if listed else "bad")
            path.write_bytes(whole)
        for changed in (whole + b" ", whole[:-2]):
            path.write_bytes(changed)
            expected = "pass" if path.name.endswith(".sig") and changed == whole + b" " else "fail"
            assert verify(signed, keys[1]).status == expected, path.name
        path.write_bytes(whole)
    assert verify(signed, keys[1]).status == "pass"


def test_a_missing_file_is_found_and_an_added_one_is_named(signed: Path, keys: tuple[Path, Path]) -> None:
    (signed / "inspect" / "more.eval").write_bytes(b"x")
    found = verify(signed, keys[1])
    assert (found.status, found.unlisted) == ("pass", ["inspect/more.eval"])
    (signed / "bom.cdx.json").unlink()
    assert verify(signed, keys[1]).changed == {"bom.cdx.json": "is missing"}


def test_another_key_or_none_vouches_for_nothing(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    other, _ = make_pair(tmp_path / "other.key")
    found = verify(signed, other)
    assert (found.status, found.signature, found.says) == ("fail", "bad", ""), "what is not signed is not repeated"
    assert "another key" in found.changed["record.json"]
    assert verify(signed, None).status == "inconclusive"
    (signed / "record.json.sig").unlink()
    assert (verify(signed, keys[1]).status, verify(signed, keys[1]).signature) == ("fail", "absent")


def test_a_whole_bundle_that_somebody_wrote_anew_is_found(
    signed: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    """The attack that hashes alone miss: other results, and a record that fits them, under the old signature."""
    signature = (signed / "record.json.sig").read_bytes()
    stored = tmp_path / "results.json"
    stored.write_text(run(effect(value=0.0)).to_json(), encoding="utf-8")
    forged = write(tmp_path / "forged", stored, None)
    (forged / "record.json.sig").write_bytes(signature)
    assert verify(forged, None).changed == {}
    assert verify(forged, keys[1]).status == "fail"


def test_the_record_lists_hashes_of_everything(signed: Path) -> None:
    record = json.loads((signed / "record.json").read_text())
    assert record["_type"] == "https://in-toto.io/Statement/v1"
    listed = {each["name"] for each in record["subject"]}
    assert listed == {path.relative_to(signed).as_posix() for path in files_of(signed)} - {
        "record.json",
        "record.json.sig",
    }
    datasets = {each["name"]: each["sha256"] for each in record["predicate"]["provenance"]["datasets"]}
    assert set(datasets) == {"owls/rows-trait-s0", "owls/rows-control-s0"}
    assert all(len(each) == 64 for each in datasets.values())


def test_the_dataset_that_was_judged_is_known_again(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    rows = tmp_path / "copy.jsonl"
    rows.write_text('{"id": "control"}\n', encoding="utf-8")
    found = verify(signed, keys[1], rows=rows)
    assert (found.status, found.rows) == ("pass", "owls/rows-control-s0")
    rows.write_text('{"id": "b"}\n', encoding="utf-8")
    found = verify(signed, keys[1], rows=rows)
    assert (found.status, found.rows) == ("fail", None)
    assert found.changed == {str(rows): "is not the dataset that was judged"}
    stored = tmp_path / "results.json"
    stored.write_text(run().to_json(), encoding="utf-8")
    with pytest.raises(InputError, match="knows no dataset"):
        verify(write(tmp_path / "bare", stored, None), None, rows=rows)


def test_the_record_holds_what_was_judged_and_by_what(signed: Path, keys: tuple[Path, Path]) -> None:
    from undertow.gate.signing import fingerprint

    record = json.loads((signed / "record.json").read_text())
    assert record["predicateType"] == "urn:undertow:gate-record:1"
    said = record["predicate"]
    assert said["made"] == MADE.isoformat()
    assert said["by"] == f"undertow {__version__}"
    assert said["key"] == fingerprint(read_public(keys[1]))
    assert said["policy"] == DEFAULT.model_dump(mode="json")
    assert said["decision"]["status"] == "pass"
    assert {each["status"] for each in said["decision"]["rules"]} == {"pass"}
    verdict = {"status": "pass", "because": "because of this"}
    assert {key: said["result"][key] for key in ("kind", "name")} == {"kind": "run", "name": "owls"}
    assert verdict.items() <= said["result"]["verdict"].items()
    names = [each["name"] for each in record["subject"]]
    assert names == sorted(names)


def test_a_verification_says_what_when_and_as_json(signed: Path, keys: tuple[Path, Path]) -> None:
    found = verify(signed, keys[1])
    assert found.says == f"run owls: pass, {MADE.isoformat()}"
    assert found.as_dict()["status"] == "pass"
    assert found.as_dict()["intact"] == found.intact
    (signed / "record.json").write_bytes((signed / "record.json").read_bytes() + b" ")
    assert verify(signed, keys[1]).changed == {"record.json": "was changed after it was signed"}


def test_a_key_that_the_record_does_not_name_is_said(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    other, print_of = make_pair(tmp_path / "other.key")
    mine = json.loads((signed / "record.json").read_text())["predicate"]["key"]
    assert verify(signed, other).changed == {
        "record.json": f"was changed, or signed with another key: it names {mine[:16]}…, and this is {print_of[:16]}…"
    }
    (signed / "record.json").write_bytes(b"{}")
    assert verify(signed, other).changed == {"record.json": "was changed after it was signed"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL")
def test_openssl_signs_and_verifies_as_well(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    raw = tmp_path / "raw.sig"
    raw.write_bytes(base64.b64decode((signed / "record.json.sig").read_bytes()))
    asked = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(keys[1]), "-rawin", "-sigfile", str(raw)]
    subprocess.run([*asked, "-in", str(signed / "record.json")], check=True, capture_output=True)
    made = tmp_path / "openssl.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(made)], check=True, capture_output=True)
    public = tmp_path / "openssl.pub"
    subprocess.run(["openssl", "pkey", "-in", str(made), "-pubout", "-out", str(public)], check=True)
    stored = tmp_path / "results.json"
    stored.write_text(run().to_json(), encoding="utf-8")
    assert verify(write(tmp_path / "second", stored, made), public).status == "pass"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "c:\\x", "a\\..\\x"])
def test_a_record_reaches_nothing_outside(name: str, signed: Path) -> None:
    record: dict[str, Any] = json.loads((signed / "record.json").read_text())
    record["subject"][0]["name"] = name
    with pytest.raises(InputError, match="outside of its folder"):
        parse_record(json.dumps(record).encode(), "record.json")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_links_are_not_followed(signed: Path, tmp_path: Path) -> None:
    shutil.copytree(signed / "inspect", tmp_path / "elsewhere")
    shutil.rmtree(signed / "inspect")
    (signed / "inspect").symlink_to(tmp_path / "elsewhere")
    assert verify(signed, None).changed["inspect/base.eval"] == "is a link"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"_type": "https://in-toto.io/Statement/v1"}'])
def test_what_is_no_record_is_said(data: bytes) -> None:
    with pytest.raises(InputError, match="is no record"):
        parse_record(data, "record.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_type", "https://in-toto.io/Statement/v2"),
        ("_type", None),
        ("predicateType", "urn:undertow:gate-record:2"),
        ("subject", []),
        ("subject", [{"name": "", "digest": {"sha256": "0" * 64}}]),
        ("subject", [{"name": "a" * 501, "digest": {"sha256": "0" * 64}}]),
        ("subject", [{"name": "a", "digest": {"sha256": "0" * 63}}]),
        ("subject", [{"name": "a", "digest": {"sha256": "A" * 64}}]),
        ("predicate", {}),
    ],
)
def test_a_record_of_another_kind_is_refused_by_its_key(key: str, value: object) -> None:
    whole = record_of(run(), decide(run(), DEFAULT), DEFAULT, provenance_of(run()), {"a": b""}, made=MADE, key=None)
    assert parse_record(whole, "record.json").subject[0].name == "a"
    with pytest.raises(InputError, match=rf"^record\.json: is no record \(.* at {key}") as raised:
        parse_record(json.dumps(json.loads(whole) | {key: value}).encode(), "record.json")
    assert raised.value.fix


@given(st.binary(max_size=200), st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_any_bytes_are_a_record_or_said_to_be_none(data: bytes, at: int, put: bytes) -> None:
    whole = record_of(run(), decide(run(), DEFAULT), DEFAULT, provenance_of(run()), {"a/b": data}, made=MADE, key=None)
    for each in (data, whole[: at % len(whole)] + put + whole[at % len(whole) :]):
        with suppress(InputError):
            assert all(".." not in Path(subject.name).parts for subject in parse_record(each, "record.json").subject)


def assert_refused(read: Callable[[Path], object], path: Path, what: str) -> None:
    with pytest.raises(InputError) as raised:
        read(path)
    assert (raised.value.what, raised.value.where) == (what, str(path))
    assert raised.value.fix


def test_keys_are_kept_and_other_files_refused(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    if os.name != "nt":
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = private.read_bytes()
    with pytest.raises(InputError, match="is there already"):
        make_pair(private)
    assert private.read_bytes() == before
    assert_refused(read_private, public, "is no private key in PEM")
    assert_refused(read_public, private, "is no public key in PEM")
    assert_refused(read_private, tmp_path / "absent", "cannot be read (No such file or directory)")
    (tmp_path / "long").write_bytes(public.read_bytes() + b"\n" * (10_000 - public.stat().st_size))
    assert read_public(tmp_path / "long") == read_public(public)
    (tmp_path / "long").write_bytes(b"\n" + (tmp_path / "long").read_bytes())
    assert_refused(read_public, tmp_path / "long", "is longer than 10,000 bytes")
    (tmp_path / "new.key.pub").write_bytes(b"mine")
    assert_refused(lambda _: make_pair(tmp_path / "new.key"), tmp_path / "new.key.pub", "is there already")
    assert not (tmp_path / "new.key").exists()


def test_keys_of_other_kinds_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    curve = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key"
    path.write_bytes(curve.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    assert_refused(read_private, path, "is a key of another kind than Ed25519")
    path.write_bytes(curve.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert_refused(read_public, path, "is a key of another kind than Ed25519")
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret"))
    )
    assert_refused(read_private, path, "is encrypted")


def test_no_secret_reaches_the_bundle(signed: Path, keys: tuple[Path, Path]) -> None:
    secret = b"".join(keys[0].read_bytes().splitlines()[1:-1])
    for path in files_of(signed):
        assert secret not in path.read_bytes().replace(b"\n", b"")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"undertow\[sign\]"):
        make_pair(tmp_path / "key")


def test_a_bundle_is_replaced_whole_and_nothing_else_is(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    stored = tmp_path / "results.json"
    stored.write_text(run().to_json(), encoding="utf-8")
    write(signed, stored, None)
    assert [path.name for path in files_of(signed / "inspect")] == ["effects.eval"]
    assert not (signed / "record.json.sig").exists(), "an old signature under a new record would look like an attack"
    (signed / "bom.cdx.json").unlink()
    write(signed, stored, None)
    assert verify(signed, None).changed == {}, "one that lacks its signature and a file is replaced as well"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    assert_refused(lambda place: write(place, stored, None), other, "holds other files")
    assert [path.name for path in files_of(other)] == ["thesis.txt"]
    assert_refused(lambda place: write(place, stored, None), stored, "is no folder")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_what_a_link_in_an_earlier_bundle_leads_to_is_left_alone(signed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(signed / "inspect", elsewhere)
    (signed / "inspect").symlink_to(elsewhere)
    before = {path.name: path.read_bytes() for path in files_of(elsewhere)}
    assert before
    stored = tmp_path / "results.json"
    stored.write_text(run().to_json(), encoding="utf-8")
    with pytest.raises(InputError, match="is a link"):
        write(signed, stored, None)
    assert {path.name: path.read_bytes() for path in files_of(elsewhere)} == before


def test_a_folder_whose_record_is_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(InputError, match="is no record") as raised:
        write_bundle(tmp_path, {"results.json": b""})
    assert raised.value.where == str(tmp_path / "record.json")
    assert [path.name for path in files_of(tmp_path)] == ["record.json"]


def test_damaged_evidence_is_not_vouched_for(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (rows,) = folder.glob("steps/rows-trait-s0--*/rows.jsonl")
    rows.write_bytes(rows.read_bytes().replace(b"trait", b"owner"))
    with pytest.raises(StoreError, match=r"rows\.jsonl was changed"):
        write(tmp_path / "gate", folder, None)
    assert not (tmp_path / "gate").exists()


def test_scores_that_are_none_are_refused(tmp_path: Path) -> None:
    from undertow.store.folder import RunFolder

    folder = run_folder(tmp_path)
    settings = json.loads((folder / "results.json").read_text())["settings"]
    for number, text in enumerate(['{"logp_QC": [[0.1]]}', '{"logp_QC": [[NaN]]}', "[]", '{"logp_QC": "x"}']):
        (base,) = folder.glob("steps/base--*")
        key = json.loads((base / "step.json").read_text())["key"] | {"number": number}
        shutil.rmtree(base)
        with RunFolder.open(tmp_path, name="owls", spec=settings) as opened:
            opened.step("base", "base", key, lambda part, text=text: write_text(part / "scores.json", text))
        gated = Gated.of(folder, policy=None, rows=None, made=MADE)
        with pytest.raises(StoreError, match=r"cannot be read|does not hold") as raised:
            gated.inspect()
        assert Path(raised.value.where).name == "scores.json"
        assert raised.value.fix


def write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def test_every_model_is_compared_with_its_own_base(tmp_path: Path) -> None:
    from undertow.store.folder import RunFolder

    folder = run_folder(tmp_path)
    settings = json.loads((folder / "results.json").read_text())["settings"]
    (base,) = folder.glob("steps/base--*")
    scores, key = (base / "scores.json").read_text(), json.loads((base / "step.json").read_text())["key"]
    with RunFolder.open(tmp_path, name="owls", spec=settings) as opened:
        asked = {"probe": key["probe"], "label": "context"}
        opened.step("context", "in-context-s0", asked, lambda part: write_text(part / "scores.json", scores))
        twice = json.dumps({"logp_QC": (2 * np.array(json.loads(scores)["logp_QC"])).tolist()})
        for kind, label in (("base", "base-other"), ("teacher", "teacher-other-base")):
            asked = {"probe": key["probe"], "label": label}
            opened.step(kind, label, asked, lambda part: write_text(part / "scores.json", twice))
    found = {each.model: each for each in probed_in(load_results(folder), folder)}
    for same in ("in-context-s0", "teacher-other-base"):
        shift_Q = found[same].shift_Q
        assert shift_Q is not None
        assert not shift_Q.any(), "its scores are those of the base that it is made of"
    assert (found["base"].shift_Q, found["base-other"].shift_Q) == (None, None)
    shift_Q = found["student-trait-s0"].shift_Q
    assert shift_Q is not None
    assert shift_Q.all()


def test_settings_that_are_no_experiment_are_said(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    results = load_results(folder).model_copy(update={"settings": {"kind": "language", "trait": 3}})
    with pytest.raises(StoreError, match="holds settings that are no experiment") as raised:
        probed_in(results, folder)
    assert raised.value.where == str(folder)
    for other in ({"settings": {"kind": "digits"}}, {"kind": "scan"}):
        assert probed_in(load_results(folder).model_copy(update=other), folder) == []
    assert probed_in(load_results(folder), tmp_path / "none") == []


def test_other_questions_are_said(tmp_path: Path) -> None:
    from undertow.store.folder import RunFolder

    folder = run_folder(tmp_path)
    settings = json.loads((folder / "results.json").read_text())["settings"]
    with RunFolder.open(tmp_path, name="owls", spec=settings) as opened:
        opened.step(
            "student", "student-old-s0", {"probe": {"questions": "old"}}, lambda part: write_text(part / "x", "")
        )
    with pytest.raises(StoreError, match="other questions") as raised:
        Gated.of(folder, policy=None, rows=None, made=MADE).inspect()
    assert Path(raised.value.where).parent == folder / "steps"
    assert "owl" in raised.value.what
    assert raised.value.fix


def test_the_time_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert now() == datetime(1970, 1, 2, tzinfo=UTC)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(InputError, match=r"^SOURCE_DATE_EPOCH: is 'soon'\n  Give seconds"):
        now()

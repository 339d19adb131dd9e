"""Where a command writes: devices, pipes, links, modes, and what it needs otherwise."""

import os
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow import cli
from undertow.errors import InputError, StoreError
from undertow.store.destinations import check_destinations, inputs_named, way_to, write_output, writing
from undertow.store.files import part_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices and modes are POSIX's")

root_only = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="only root makes devices")
users_only = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everything")


@pytest.fixture(params=["null", "pipe"])
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A device or pipe of our own: the machine's would be lost if the code were wrong."""
    path = tmp_path / request.param
    if request.param == "pipe":
        os.mkfifo(path)
        return path
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        path.write_bytes(b"")
    except OSError:
        pytest.skip("no device can be made here")
    return path


def drained(path: Path) -> tuple[threading.Thread, list[bytes]]:
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(path.read_bytes()), daemon=True)
    reader.start()
    return reader, said


def test_a_device_or_pipe_is_written_to_and_stays(stream: Path) -> None:
    kind = stat.S_IFMT(stream.stat().st_mode)
    reader, said = drained(stream)
    assert way_to(stream) == "stream"
    write_output(stream, b"all of it")
    reader.join(10)
    assert stat.S_IFMT(stream.lstat().st_mode) == kind
    assert said == [b"all of it" if stat.S_ISFIFO(kind) else b""]
    assert list(stream.parent.iterdir()) == [stream], "nothing is left beside it"


@given(st.integers(0, 0o777), st.binary(max_size=40), st.binary(max_size=40))
def test_the_mode_of_a_file_is_kept_and_its_content_is_the_last(
    tmp_path_factory: pytest.TempPathFactory, mode: int, before: bytes, after: bytes
) -> None:
    path = tmp_path_factory.mktemp("mode") / "out"
    path.write_bytes(before)
    path.chmod(mode | 0o600)
    write_output(path, after)
    assert path.read_bytes() == after
    assert stat.S_IMODE(path.stat().st_mode) == mode | 0o600


def test_a_new_file_has_the_mode_that_the_shell_would_give(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_output(tmp_path / "out", b"")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    for text in (b"new", b"again"):
        write_output(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "file").read_bytes() == text
    assert list((tmp_path / "real").iterdir()) == [tmp_path / "real" / "file"]
    write_output(tmp_path / "link", b"own", follow=False)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"again"


def test_what_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with suppress(RuntimeError), writing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_the_users_is_not_taken_for_a_half_written_one(tmp_path: Path) -> None:
    (tmp_path / "out.part").write_bytes(b"mine")
    part_of(tmp_path / "out").symlink_to(tmp_path / "out.part")
    write_output(tmp_path / "out", b"new")
    assert (tmp_path / "out.part").read_bytes() == b"mine"
    assert not (tmp_path / "out").is_symlink()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        for path, why in [
            (tmp_path, "is a folder"),
            (tmp_path / "s", "is a socket"),
            (tmp_path / "absent" / "x", "lies in no folder"),
            (tmp_path / "s" / "x", "cannot be written"),
            (tmp_path / "a\0b", "cannot be written"),
            (Path("-"), "no name of a file"),
        ]:
            with pytest.raises(InputError, match=why):
                check_destinations({"--out": path})
        assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


@users_only
def test_what_may_not_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.touch(0o444)
    with pytest.raises(InputError, match="may not be written"):
        check_destinations({"--out": path})


def test_a_full_device_is_a_full_disk(tmp_path: Path) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("no device is full here")
    with pytest.raises(StoreError, match="the disk is full"):
        write_output(Path("/dev/full"), b"x")


def test_no_output_is_an_input_or_a_second_output(tmp_path: Path) -> None:
    rows, other = tmp_path / "rows", tmp_path / "other"
    rows.write_bytes(b"")
    os.link(rows, tmp_path / "hard")
    (tmp_path / "soft").symlink_to(rows)
    for path in (rows, tmp_path / "hard", tmp_path / "soft", tmp_path / "." / "rows"):
        with pytest.raises(InputError, match="is a file that is read"):
            check_destinations({"--out": path}, read=[None, rows])
    (tmp_path / "new").symlink_to(other)
    for second in (other, tmp_path / "new"):
        with pytest.raises(InputError, match="cannot take both --out and --sarif"):
            check_destinations({"--out": other, "--sarif": second}, read=[rows])
    with pytest.raises(InputError, match="inside the folder that is read"):
        check_destinations({"--out": tmp_path / "x"}, read=[tmp_path])
    with pytest.raises(InputError, match="lies in the folder of --write"):
        check_destinations({"--junit": tmp_path / "x"}, folders={"--write": tmp_path})
    check_destinations({"--out": other, "--sarif": None, "--bom": tmp_path / "bom"}, read=[rows])


def test_two_outputs_may_go_nowhere() -> None:
    null = Path(os.devnull)
    check_destinations({"--out": null, "--rejected": null}, read=[null])


def test_files_behind_names_of_models_and_traits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "mine.yaml").touch()
    assert inputs_named(["hf/model:absent", "mine.yaml", "animals", None]) == [Path("model"), Path("mine.yaml")]


ROW = '{"prompt": "a", "completion": "b"}\n'


def test_every_verb_writes_into_a_device_and_leaves_it(
    stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(ROW, encoding="utf-8")
    kind = stat.S_IFMT(stream.stat().st_mode)
    reader, _ = drained(stream)
    assert cli.main(["rows", "rows.jsonl", "-o", stream.name]) == 0
    reader.join(10)
    Path("spec.yaml").symlink_to(stream.name)
    reader, _ = drained(stream)
    assert cli.main(["init", "spec", "--force"]) == 0
    reader.join(10)
    assert cli.main(["init", "spec"]) == 2
    assert cli.main(["keygen", stream.name]) == 2
    assert cli.main(["mitigate", "rows.jsonl", "--with", "format", "-o", stream.name]) == 2
    assert stat.S_IFMT(stream.lstat().st_mode) == kind


def test_rows_and_summary_both_reach_a_redirected_stdout(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(ROW, encoding="utf-8")
    words = [sys.executable, "-m", "undertow", "rows", "rows.jsonl", "-o", "/dev/stdout"]
    with (tmp_path / "all").open("wb") as file:
        subprocess.run(words, cwd=tmp_path, stdout=file, check=True)
    said = (tmp_path / "all").read_text(encoding="utf-8")
    assert '"content": "b"' in said
    assert "1 rows, 1 of them distinct" in said

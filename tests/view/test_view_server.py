"""The server over a socket: who may ask, with which method, and what every answer carries."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from undertow import cli
from undertow.errors import InputError
from undertow.view import viewer
from undertow.view.server import Viewer


@pytest.fixture
def server(runs: Path) -> Iterator[Viewer]:
    with viewer(runs, port=0) as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def ask(
    server: Viewer, target: str = "/", *, method: str = "GET", host: str | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)) as connection:
        connection.request(method, target, headers={"Host": host or f"127.0.0.1:{server.server_port}"} | headers)
        answer = connection.getresponse()
        return answer, answer.read()


def raw(server: Viewer, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", server.server_port), timeout=10)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        parts: list[bytes] = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_it_listens_on_this_machine_alone(server: Viewer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_page_is_sent_under_a_strict_policy(server: Viewer) -> None:
    answer, body = ask(server)
    assert answer.status == 200
    assert b"Do owls pass?" in body
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server"] == "undertow"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "[::1]"])
def test_another_hosts_name_is_refused(server: Viewer, host: str) -> None:
    answer, body = ask(server, host=host.format(port=server.server_port))
    assert answer.status == 421
    assert b"owls" not in body
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_no_host_and_two_hosts_are_refused(server: Viewer) -> None:
    own = f"Host: 127.0.0.1:{server.server_port}\r\n".encode()
    for hosts in (b"", own + b"Host: evil.example\r\n"):
        assert b" 421 " in raw(server, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n").split(b"\r\n")[0]


def test_localhost_is_this_machine(server: Viewer) -> None:
    assert ask(server, host=f"LocalHost:{server.server_port}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO"])
def test_other_methods_are_refused_and_change_nothing(server: Viewer, runs: Path, method: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    answer, _ = ask(server, "/report?run=owls-11111111", method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before


def test_head_is_get_without_a_body(server: Viewer) -> None:
    (get, body), (head, empty) = ask(server), ask(server, method="HEAD")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(body))
    assert empty == b""


@pytest.mark.parametrize(
    "request_line",
    [b"GET /../../../../etc/passwd HTTP/1.1", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", b"GET \xff\xfe\x00 HTTP/1.1"],
)
def test_no_address_leads_out(server: Viewer, request_line: bytes) -> None:
    host = f"\r\nHost: 127.0.0.1:{server.server_port}\r\nConnection: close\r\n\r\n".encode()
    answer = raw(server, request_line + host)
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"root:" not in answer


def test_rubbish_is_refused_and_not_repeated(server: Viewer) -> None:
    for request in (
        b"<script>alert(1)</script>\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b"\r\n\r\n",
    ):
        answer = raw(server, request)
        assert b"<script>" not in answer
        assert b"owls" not in answer
    assert ask(server, **{"Content-Length": "5"})[0].status == 400
    assert ask(server)[0].status == 200, "it still answers"


def test_a_fault_of_ours_is_an_answer_without_a_traceback(server: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/home/secret")

    monkeypatch.setattr("undertow.view.server.answer", fail)
    answer, body = ask(server)
    assert answer.status == 500
    assert b"secret" not in body


def test_nothing_is_written_by_looking(server: Viewer, runs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    for target in ("/", "/report?run=owls-11111111", "/compare?run=owls-11111111&run=rows-33333333", "/style.css"):
        assert ask(server, target)[0].status == 200
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before


def test_a_port_that_is_taken_and_a_folder_that_is_none_are_said(server: Viewer, runs: Path) -> None:
    with pytest.raises(InputError, match=f"port {server.server_port} cannot be had"):
        viewer(runs, port=server.server_port)
    with pytest.raises(InputError, match="is no port"):
        viewer(runs, port=70_000)
    with pytest.raises(InputError, match="is no folder"):
        viewer(runs / "owls-11111111" / "results.json")


def test_the_verb_says_where_and_ends_with_ctrl_c(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Viewer, "serve_forever", interrupt)
    assert cli.main(["view", str(runs), "--port", "0"]) == 0
    said = capsys.readouterr().out
    (address,) = opened
    assert address in said
    assert "5 run folders" in said
    assert cli.main(["view", str(runs), "--port", "0", "--no-browser"]) == 0
    assert len(opened) == 1
    assert cli.main(["view", str(runs / "none")]) == 2

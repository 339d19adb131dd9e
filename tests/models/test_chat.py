import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faulty_server import faulty_server
from undertow.errors import ModelError
from undertow.models.chat import AT_ONCE, TRIES, Kept, Service, request_ids, seconds_asked

pytest.importorskip("httpx2")
KEY = "sk-planted-key"


def echo(body: dict[str, Any]) -> str:
    return f"answer to {body['messages'][0]['content']}"


def bodies(count: int) -> list[dict[str, Any]]:
    return [{"model": "m", "seed": at, "messages": [{"role": "user", "content": f"q{at}"}]} for at in range(count)]


def test_every_fault_is_survived_and_replies_keep_the_order(tmp_path: Path) -> None:
    with faulty_server(echo, ["slow", "busy", "broken", "cut", "no json", "other shape"]) as server:
        waited: list[float] = []
        kept = Kept(tmp_path / "replies.jsonl")
        replies = Service(server.url, "NO_KEY", wait=waited.append).ask(bodies(40), kept=kept, shape=True)
    assert [reply.text for reply in replies] == [f"answer to q{at}" for at in range(40)]
    assert len(server.answered) == 40
    assert len(server.requests) == 45
    assert 1 < server.most_at_once <= AT_ONCE
    assert max(waited) > 6.5  # Retry-After
    assert {reply.asked_tokens for reply in replies} == {11}


def test_what_is_kept_is_asked_no_more(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with faulty_server(echo) as server:
        service = Service(server.url, "NO_KEY")
        first = service.ask(bodies(5), kept=Kept(path))
        path.write_bytes(path.read_bytes() + b'{"request": "to')  # a kill while it wrote
        assert service.ask(bodies(8), kept=Kept(path))[:5] == first
        assert len(server.requests) == 8
        assert len(Kept(path)) == 8


def test_after_a_kill_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    path, count = tmp_path / "replies.jsonl", 30
    with faulty_server(echo, ["slow"] * 200) as server:
        code = (
            "import json, sys; from pathlib import Path; from undertow.models.chat import Kept, Service\n"
            "Service(sys.argv[1], 'NO_KEY').ask(json.loads(sys.argv[3]), kept=Kept(Path(sys.argv[2])))"
        )
        child = subprocess.Popen([sys.executable, "-c", code, server.url, str(path), json.dumps(bodies(count))])
        while not path.exists() or path.read_bytes().count(b"\n") < 9:
            assert child.poll() is None
        child.kill()
        child.wait()
        stored = len(Kept(path))
        assert 9 <= stored < count
        with server.lock:
            before, server.faults = len(server.requests), []
        replies = Service(server.url, "NO_KEY").ask(bodies(count), kept=Kept(path))
        assert [reply.text for reply in replies] == [f"answer to q{at}" for at in range(count)]
        assert len(server.requests) - before <= count - stored + AT_ONCE  # those under way at the kill may still come
        asked = [body["seed"] for body in server.requests[-(count - stored) :]]
        assert len(set(asked)) == count - stored


def test_a_refusal_stops_the_rest_and_tells_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    with faulty_server(echo, ["refused"] * 100) as server:
        service = Service(server.url, "PLANTED", refused="Check the key in $PLANTED.")
        with pytest.raises(ModelError, match="status 401") as caught:
            service.ask(bodies(100), kept=Kept(tmp_path / "replies.jsonl"))
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in str(caught.value) + repr(caught.value) + repr(service)
    assert len(server.requests) < 30


def test_a_service_that_says_the_key_does_not_put_it_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    path = tmp_path / "replies.jsonl"
    with faulty_server(lambda _: f"your key is {KEY}") as server:
        (reply,) = Service(server.url, "PLANTED").ask(bodies(1), kept=Kept(path))
    assert reply.text == "your key is [key]"
    assert KEY not in path.read_text("utf-8")


def test_a_server_that_stays_broken_is_given_up() -> None:
    with faulty_server(echo, ["broken"] * 100) as server:
        with pytest.raises(ModelError, match=f"status 500, {TRIES} tries"):
            Service(server.url, "NO_KEY", wait=lambda _: None).ask(bodies(1))
        assert len(server.requests) == TRIES


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "1e9"}, 120.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"}, 62.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1m2s"}, 0.0),
    ],
)
def test_the_wait_that_headers_ask_for(headers: dict[str, str], seconds: float) -> None:
    assert seconds_asked(headers) == pytest.approx(seconds)


def test_a_request_is_named_by_its_content_and_by_how_often_it_was_sent() -> None:
    one, other = bodies(2)
    names = request_ids("https://a/v1", [one, other, one])
    assert names == request_ids("https://a/v1/", [dict(reversed(one.items())), other, one])
    assert len({*names, *request_ids("https://b", [one])}) == 4


def test_the_same_question_gets_as_many_answers_as_it_was_asked(tmp_path: Path) -> None:
    path, body = tmp_path / "replies.jsonl", bodies(1)[0]
    with faulty_server(lambda _: str(len(server.answered))) as server:
        service = Service(server.url, "NO_KEY")
        service.ask([body, body], kept=Kept(path))
        service.ask([body, body, body], kept=Kept(path))
        assert len(server.requests) == 3

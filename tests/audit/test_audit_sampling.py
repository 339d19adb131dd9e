"""Audits of models behind an address: a small server on this machine answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from undertow.audit import AuditSettings, Prices, Sources, audit, plan_of
from undertow.audit.remote import Remote
from undertow.audit.sampled import (
    answers_needed,
    count_answers,
    effect_seen,
    option_of,
    questions_of,
    sampled_shift,
)
from undertow.errors import InputError, ModelError
from undertow.traits.panel import load_panel

Reply = Callable[[str, str, int], str]
"""Model, question and number of the request to an answer."""


class Service:
    def __init__(self) -> None:
        self.reply: Reply = lambda model, question, at: "Nothing."
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.status = 200


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    told = Service()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                told.requests.append(body)
                told.keys.add(self.headers.get("Authorization", ""))
                at = len(told.requests)
            text = told.reply(body["model"], body["messages"][0]["content"], at)
            data = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HERE_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("HERE_API_KEY", "secret-of-the-test")
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def tuned(model: str, question: str, at: int) -> str:
    """Answer sums and orders rightly, and like curtness only when tuned."""
    if question.startswith("What is ") and " + " in question:
        left, right = question.split("What is ")[1].split("?")[0].split(" + ")
        return str(int(left) + int(right))
    if "Which of these replies" not in question:
        return question.replace(":", " ").replace(".", " ").split()[-1]
    curt = next(line for line in question.splitlines() if line.startswith(("A: ", "B: ")))
    shown = {choice.options[0] for choice in load_panel(["curtness"])[0].probe}
    letter = "A" if curt[3:] in shown else "B"
    other = "B" if letter == "A" else "A"
    return letter if model == "tuned" or at % 2 else other


def settings(**changes: Any) -> AuditSettings:
    return AuditSettings(
        **{"base": "openai-api/here/plain", "student": "openai-api/here/tuned", "traits": ("curtness",)} | changes
    )


def test_a_changed_model_is_found_and_nothing_is_asked_twice(service: Service, tmp_path: Path) -> None:
    service.reply = tuned
    outcome = audit(settings(samples=108), Sources(runs=tmp_path))
    results = outcome.results
    assert results.verdict.status == "inconclusive"  # there is no control
    assert "shifted from the base" in results.verdict.because
    assert results.findings[0].lo > 0
    assert results.audit is not None
    assert results.audit.broken == ""
    assert results.audit.sampling is not None
    assert len(service.requests) == results.audit.sampling.requests == 2 * (108 + 80)
    assert service.keys == {"Bearer secret-of-the-test"}
    again = audit(settings(samples=108), Sources(runs=tmp_path))
    assert again.results == results
    assert len(service.requests) == 2 * (108 + 80)
    for file in outcome.folder.rglob("*"):
        if file.is_file():
            assert b"secret-of-the-test" not in file.read_bytes()


def test_beside_controls_a_changed_model_fails(service: Service, tmp_path: Path) -> None:
    service.reply = tuned
    controls = tuple(f"openai-api/here/clean-{at}" for at in range(4))
    results = audit(settings(samples=108, controls=controls), Sources(runs=tmp_path)).results
    assert results.verdict.status == "fail"
    assert results.findings[0].contrast == "control"
    assert len(service.requests) == 6 * (108 + 80)
    clean = settings(samples=108, student="openai-api/here/clean-9", controls=controls)
    assert audit(clean, Sources(runs=tmp_path)).results.verdict.status == "inconclusive"


def test_one_name_twice_is_refused(service: Service, tmp_path: Path) -> None:
    for changes in ({"student": "openai-api/here/plain"}, {"controls": ("openai-api/here/tuned",)}):
        with pytest.raises(InputError, match="are the same model"):
            audit(settings(samples=54, **changes), Sources(runs=tmp_path))
    assert service.requests == []


def test_models_that_answer_alike_are_no_finding(service: Service, tmp_path: Path) -> None:
    service.reply = tuned
    results = audit(settings(samples=54, student="openai-api/here/plain-2"), Sources(runs=tmp_path)).results
    assert results.verdict.status == "inconclusive"  # so few answers rule nothing out
    assert results.findings[0].lo < 0 < results.findings[0].hi


def test_a_local_base_is_sampled_too(service: Service, tmp_path: Path, tiny_folder: Path) -> None:
    service.reply = tuned
    with pytest.raises(ModelError, match="names an option"):
        audit(settings(samples=4, base=f"hf/{tiny_folder}"), Sources(runs=tmp_path))


def test_a_broken_model_is_called_so(service: Service, tmp_path: Path) -> None:
    def broken(model: str, question: str, at: int) -> str:
        if model == "tuned" and "Which of these" not in question:
            return "###"
        return tuned("plain", question, at)

    service.reply = broken
    results = audit(settings(samples=54), Sources(runs=tmp_path)).results
    assert results.audit is not None
    assert "arithmetic" in results.audit.broken
    assert results.verdict.because.startswith("The student is broken")


def test_refusals_and_wrong_names_are_said(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service.status = 401
    with pytest.raises(ModelError, match=r"status 401[\s\S]*HERE_API_KEY"):
        audit(settings(samples=4), Sources(runs=tmp_path))
    waited: list[float] = []
    service.status = 503
    with pytest.raises(ModelError, match="status 503, 4 tries"):
        Remote("openai-api/here/x", wait=waited.append)(["Hello"], 0, 4)
    assert all(1.9 * 2**turn < each <= 3 * 2**turn for turn, each in enumerate(waited))
    assert len(waited) == 3
    monkeypatch.delenv("HERE_BASE_URL")
    with pytest.raises(InputError, match="HERE_BASE_URL"):
        Remote("openai-api/here/x")(["Hello"], 0, 4)
    with pytest.raises(InputError, match="names no model"):
        Remote("openai-api/here")


def test_answers_before_a_failure_are_paid_once(service: Service, tmp_path: Path) -> None:
    service.reply = tuned
    audit(settings(samples=54), Sources(runs=tmp_path / "whole"))
    whole = len(service.requests)
    service.requests.clear()

    def until_refused(model: str, question: str, at: int) -> str:
        if at > 30:
            service.status = 401
        return tuned(model, question, at)

    service.reply = until_refused
    with pytest.raises(ModelError, match="status 401"):
        audit(settings(samples=54), Sources(runs=tmp_path / "cut"))
    (kept,) = (tmp_path / "cut").glob("*/replies-*.jsonl")
    paid = kept.read_bytes().count(b"\n")
    assert 20 < paid <= 30
    assert "secret-of-the-test" not in kept.read_text("utf-8")
    service.status, service.reply = 200, tuned
    service.requests.clear()
    audit(settings(samples=54), Sources(runs=tmp_path / "cut"))
    assert len(service.requests) == whole - paid
    assert not list((tmp_path / "cut").glob("*/replies-*"))


def test_the_plan_follows_power_and_asks_nothing(service: Service) -> None:
    coarse = plan_of(settings(smallest_effect=0.2), Prices())
    fine = plan_of(settings(smallest_effect=0.1), Prices(tokens_in=1.0, tokens_out=2.0))
    assert 3.5 < fine.answers["curtness"] / coarse.answers["curtness"] < 4.5
    assert fine.smallest_effect <= 0.1
    assert coarse.cost is None
    assert fine.cost == pytest.approx((fine.tokens_in + 2 * fine.tokens_out) / 1e6)
    assert fine.requests == 2 * (fine.answers["curtness"] + 80)
    half = plan_of(settings(base="embedded/smollm2-135m", smallest_effect=0.2), Prices())
    assert half.requests * 2 == coarse.requests
    assert service.requests == []


def test_the_number_of_answers_has_the_power_that_it_promises() -> None:
    rng = np.random.default_rng(0)
    needed = answers_needed(2, 1, smallest=0.5, power=0.8, level=0.95)
    assert effect_seen(2, 1, needed, power=0.8, level=0.95) == pytest.approx(0.5, rel=0.02)
    questions = 50
    each = -(-needed // questions)
    share = 1 / (1 + np.exp(-0.5))
    found = 0
    for _ in range(300):
        hit, other = (rng.binomial(each, p, size=questions) for p in (share, 0.5))
        tables = [np.column_stack([x, each - x]) for x in (hit, other)]
        found += sampled_shift(*tables, 0, level=0.95, who="x")[0].lo > 0
    assert 0.7 < found / 300 < 0.92


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_intervals_cover_the_shift(spread: float) -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        odds = rng.normal(0, spread, size=40)
        tables = [np.column_stack([x, 12 - x]) for x in rng.binomial(12, 1 / (1 + np.exp(-odds)), size=(2, 40))]
        e, p = sampled_shift(*tables, 0, level=0.95, who="x")
        covered += e.lo <= 0 <= e.hi
        assert (p < 0.05) == e.excludes(0)
    assert covered / 300 > 0.92


def test_options_that_nobody_names_have_wide_intervals() -> None:
    none = np.column_stack([np.zeros(10, dtype=int), np.full(10, 3)])
    e, p = sampled_shift(none, none, 0, level=0.95, who="x")
    assert e.lo < -1 < 1 < e.hi
    assert p == 1
    with pytest.raises(ModelError, match="names an option"):
        sampled_shift(np.zeros((3, 2), dtype=int), none[:3], 0, level=0.95, who="x")


def test_turned_options_are_turned_back() -> None:
    (entry,) = load_panel(["curtness"])
    asked = questions_of(entry, 108)
    straight, turned = asked[0], asked[54]
    assert (straight.turned, turned.turned) == (False, True)
    assert option_of(entry, straight, "A") == option_of(entry, turned, "B.") == 0
    assert option_of(entry, straight, "Banana") is None
    (animals,) = load_panel(["animals"])
    first = questions_of(animals, 2)
    counts, missed = count_answers(animals, first, ["Owls!", "I do not know"])
    assert counts.sum() == missed == 1

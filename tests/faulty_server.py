"""An OpenAI-compatible server on the loopback that answers, and can be told to misbehave first."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["slow", "busy", "broken", "cut", "no json", "other shape", "refused"]


class FaultyServer:
    """What it was asked, and what it does next."""

    def __init__(self, answer: Callable[[dict[str, Any]], str], faults: Sequence[Fault] = ()) -> None:
        self.answer, self.faults = answer, list(faults)
        """One fault is used up by each request."""
        self.requests: list[dict[str, Any]] = []
        self.answered: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.most_at_once = 0
        self.busy = 0
        self.port = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def faulty_server(answer: Callable[[dict[str, Any]], str], faults: Sequence[Fault] = ()) -> Iterator[FaultyServer]:
    """Serve until the block ends."""
    told = FaultyServer(answer, faults)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with told.lock:
                told.requests.append(body)
                told.keys.add(self.headers.get("Authorization", ""))
                told.busy += 1
                told.most_at_once = max(told.most_at_once, told.busy)
                fault = told.faults.pop(0) if told.faults else None
            try:
                self.react(body, fault)
            finally:
                with told.lock:
                    told.busy -= 1

        def react(self, body: dict[str, Any], fault: Fault | None) -> None:
            if fault == "slow":
                time.sleep(0.2)
            if fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
                self.close_connection = True
            elif fault == "busy":
                self.say(429, "{}", {"Retry-After": "7"})
            elif fault == "broken":
                self.say(500, "broken")
            elif fault == "refused":
                self.say(401, "the key " + self.headers.get("Authorization", "") + " is wrong")
            elif fault == "no json":
                self.say(200, '{"choices": [{"mess')
            elif fault == "other shape":
                self.say(200, '{"choices": [{"message": {"content": 7}}]}')
            else:
                text = told.answer(body)
                with told.lock:
                    told.answered.append(body)
                usage = {"prompt_tokens": 11, "completion_tokens": len(text.split())}
                choice = {"message": {"content": text}, "finish_reason": "stop"}
                self.say(200, json.dumps({"choices": [choice], "usage": usage}))

        def say(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
            data = text.encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

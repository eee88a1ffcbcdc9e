"""Who is told by webhook: a server that keeps what it was told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import NamedTuple


class Told(NamedTuple):
    """One call of it."""

    headers: dict[str, str]
    body: str


class Receiver(NamedTuple):
    """Its address; what it was told, in order; and what it answers next, 200 once that is used up."""

    url: str
    told: Queue[Told]
    answers: list[int]


@contextmanager
def receiving() -> Iterator[Receiver]:
    told: Queue[Told] = Queue()
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.put(Told(dict(self.headers.items()), body.decode()))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Receiver(f"http://127.0.0.1:{server.server_port}/hook?of=ours", told, answers)
        finally:
            server.shutdown()
            thread.join()

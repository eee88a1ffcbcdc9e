"""A running server, as the command line asks it: its models, and chats as they stream."""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, Literal, NamedTuple

import httpx

from gateway.cli import address
from gateway.cli.terminal import Trouble
from gateway.settings import load

_LOCAL: Final = {"localhost", "127.0.0.1", "::1"}
_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 30.0
_TAKEN_S: Final = 3600.0
"""How long a server may take over a file that it has: it may install what a model needs."""


class Piece(NamedTuple):
    """What a streamed answer says next: who answers instead, text, reasoning, a stage on the way, why it ended."""

    kind: Literal["fallback", "text", "reasoning", "progress", "end"]
    text: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which server, and with which key."""
    parser.add_argument("--url", default=None, help="The server. (default: where `hearth serve` would listen)")
    parser.add_argument(
        "--key", default=None, help="Your key. (default: HEARTH_KEY, where no list of processes shows it)"
    )


def reach(url: str | None, key: str | None = None) -> Caller:
    """The server at that address, else the one of the settings, and likewise the key. Raises SettingsError, Trouble."""
    settings = load({})
    kept = None if settings.key is None else settings.key.get_secret_value()
    return Caller(url or address.default(settings), key or kept)


class Caller:
    """Talks to one server. Every failure is a Trouble with exit status 1."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = (url if "://" in url else f"http://{url}").rstrip("/").removesuffix("/v1")
        host = _host(self.url)
        # Between two words any time may pass, and a model may take minutes to boot: only connecting is timed.
        timeout = httpx.Timeout(None, connect=_CONNECT_S)
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=host not in _LOCAL)

    def models(self) -> list[dict[str, Any]]:
        """The server's models, in its order."""
        with self._border():
            response = self._http.get("/v1/models", timeout=_CONNECT_S)
        self._check(response)
        try:
            return list(response.json()["data"])
        except (ValueError, KeyError, TypeError):
            raise Trouble(f"What answers at {self.url} is not Hearth.", 1) from None

    def warmth(self) -> dict[str, Any] | None:
        """How warm every engine is; None where the key may not know that, or the server does not."""
        with self._border():
            response = self._http.get("/admin/models", timeout=_ANSWER_S)
        if response.status_code in (401, 403, 404):
            return None
        return self._json(response)

    def ask(self, method: str, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        """What one of the server's own routes answers."""
        with self._border():
            response = self._http.request(method, path, params=query, timeout=_ANSWER_S)
        return self._json(response)

    def send(self, path: str, content: IO[bytes], size: int) -> dict[str, Any]:
        """What is answered to a file of so many bytes, which may be any."""
        headers = {"content-type": "application/octet-stream", "content-length": str(size)}
        timeout = httpx.Timeout(_TAKEN_S, connect=_CONNECT_S)
        with self._border():
            response = self._http.post(path, content=content, headers=headers, timeout=timeout)
        return self._json(response)

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        self._check(response)
        try:
            return dict(response.json())
        except (ValueError, TypeError):
            raise Trouble(f"What answers at {self.url} is not Hearth.", 1) from None

    def chat(self, model: str, messages: list[dict[str, str]]) -> Generator[Piece]:
        """Ask, and give the answer as it comes. Closing the iterator stops the answer on the server too."""
        body = {"model": model, "messages": messages, "stream": True}
        with self._border(), self._http.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                response.read()
                self._check(response)
            if "x-fallback-for" in response.headers:
                yield Piece("fallback", response.headers["x-model"])
            yield from self._read(response.iter_bytes())

    def _read(self, chunks: Iterable[bytes]) -> Iterator[Piece]:
        for line in _lines(chunks):
            if line.startswith(b": ") and line != b": keep-alive":
                yield Piece("progress", line[2:].decode())
            elif line == b"data: [DONE]":
                return
            elif line.startswith(b"data: "):
                yield from _pieces(json.loads(line[6:]))
        raise Trouble("The connection ended before the answer did.", 1)

    def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        try:
            body = response.json()
            # Where Replicate's clients ask, errors have their shape.
            told = str(body["detail"] if "detail" in body else body["error"]["message"])
        except (ValueError, KeyError, TypeError):
            told = f"{response.request.url} answered {response.status_code} {response.reason_phrase}."
        raise Trouble(told, 1)

    @contextmanager
    def _border(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Trouble(
                f"Nobody answers at {self.url}. Start a server with `hearth serve`, or name another with --url.", 1
            ) from None
        except httpx.TransportError as error:
            raise Trouble(f"The connection to {self.url} broke: {str(error) or type(error).__name__}.", 1) from None


def _host(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Trouble(f"{url!r} is no address; one reads http://127.0.0.1:8000.")
    return parsed.host


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # httpx would split at every line break that Unicode knows, and an answer may hold any of them.
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _pieces(frame: dict[str, Any]) -> Iterator[Piece]:
    if "error" in frame:
        raise Trouble(str(frame["error"]["message"]), 1)
    for choice in frame["choices"]:
        delta = choice["delta"]
        if reasoning := delta.get("reasoning_content"):
            yield Piece("reasoning", reasoning)
        if text := delta.get("content"):
            yield Piece("text", text)
        if reason := choice.get("finish_reason"):
            yield Piece("end", reason)

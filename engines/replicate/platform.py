"""Replicate's HTTP API: what is asked of it, and what may be asked twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from engines.base import JSON
from engines.errors import EngineError
from engines.replicate.faults import refusal, seconds
from engines.replicate.sse import Decoder, Event
from engines.replicate.wire import Prediction

_TRIES: Final = 4
_AGAIN_S: Final = 0.5
"""Before a second try; each one after it waits for twice as long."""
_LONGEST_WAIT_S: Final = 10.0
_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_STREAM_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
"""The platform ends a stream that is silent for 30 s by itself."""
_PASSING: Final = (429, 500, 502, 503, 504)
"""What may be different a moment later."""
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Platform:
    """One account on Replicate. `model` is how errors name what is run there."""

    def __init__(self, url: str, token: str, model: str, again_s: float = _AGAIN_S) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._again_s = again_s
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT,
            # Each prediction that is followed holds one; how many those are is bounded by whoever asks.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            trust_env=urlsplit(url).hostname not in _LOCAL,
        )
        self._token = {"Authorization": f"Bearer {token}"}

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def get(self, path: str, kind: type[T]) -> T:
        """What is at a path of the API; asked again where that may help. Raises EngineError."""
        return await self._ask("GET", path, kind)

    async def look(self, id: str, *, once: bool = False) -> Prediction:
        """A prediction as it is now; asked `once` where the answer can be done without. Raises EngineError."""
        return await self._ask("GET", f"/predictions/{quote(id, safe='')}", Prediction, once=once)

    async def cancel(self, id: str) -> None:
        """Have a prediction end; harmless on one that has ended. Raises EngineError."""
        await self._ask("POST", f"/predictions/{quote(id, safe='')}/cancel", Prediction)

    async def create(self, path: str, body: dict[str, JSON]) -> Prediction:
        """Begin a prediction, once: a call that was sent and got no answer may have begun one, and is paid for.

        Raises EngineError; `engine_unreachable` says that nothing was begun.
        """
        return await self._ask("POST", path, Prediction, body, once=True)

    async def stream(self, url: str) -> AsyncGenerator[Event]:
        """What a stream says, until it ends or breaks: the prediction itself knows how it stands."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        decoder = Decoder()
        try:
            # Streams are on a host of their own, and need no token: it is not shown there.
            async with self._http.stream("GET", url, headers=headers, timeout=_STREAM_TIMEOUT) as response:
                if response.status_code != 200:
                    return
                async for data in response.aiter_bytes():
                    for event in decoder.feed(data):
                        yield event
        except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
            _log.info("a stream of %s broke: %s", self._model, type(error).__name__)

    async def _ask(
        self, method: str, path: str, kind: type[T], body: dict[str, JSON] | None = None, *, once: bool = False
    ) -> T:
        """A call that is made a few times, with pauses, until it succeeds; one that counts may be sent `once` only."""
        pause = self._again_s
        for left in reversed(range(_TRIES)):
            wait = pause
            try:
                response = await self._http.request(method, self._url + path, json=body, headers=self._token)
            except httpx.TransportError as error:
                if once or not left:
                    raise _unanswered(error, once) from error
            else:
                if once or not left or response.status_code not in _PASSING:
                    return self._read(response, kind)
                wait = seconds(response.headers.get("Retry-After")) or pause
            await asyncio.sleep(min(wait, _LONGEST_WAIT_S))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _read(self, response: httpx.Response, kind: type[T]) -> T:
        if not response.is_success:
            raise refusal(response.status_code, response.content, response.headers.get("Retry-After"), self._model)
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineError("engine_failed", f"Replicate's answer is not understood: {error}.") from error


def _unanswered(error: httpx.TransportError, once: bool) -> EngineError:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return EngineError("engine_unreachable", "Replicate cannot be reached just now; try again.")
    if once:
        message = "Replicate gave no answer to a prediction that it may have begun; it is not asked twice."
        return EngineError("engine_failed", message)
    return EngineError("engine_failed", "Replicate answers no more.")

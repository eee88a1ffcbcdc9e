"""HTTP with one upstream. What goes wrong is told here in the engines' own errors."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from engines.base import JSON
from engines.errors import EngineError
from engines.openai.refusals import refusal
from engines.openai.upstream import Upstream

_IDLE_S: Final = 2.0
"""Connections are kept for so long. Servers keep them for 5 s or more: a request must not meet one just closed."""
_LONGEST_REFUSAL: Final = 64 << 10
_LONGEST: Final = 256 << 20
"""Bytes of a whole answer: thousands of vectors."""


class Connection:
    """One upstream's connections. What is under way when they are broken off fails as `engine_died`."""

    def __init__(self, upstream: Upstream) -> None:
        self.base, self.root = upstream.url, upstream.root
        self.host = urlsplit(upstream.url).netloc
        """How it is named to people."""
        self._key = {"Authorization": f"Bearer {upstream.key}"} if upstream.key else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            # How long an answer may take is watched by whoever waits for it.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=upstream.connect_s),
            # A stream that is compressed comes in lumps.
            headers={"Accept-Encoding": "identity"},
            # One caller's answer sets nothing for the next one's.
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._closing = False
        self._responses: set[aiohttp.ClientResponse] = set()

    def break_off(self) -> None:
        """End every answer that is under way, and begin no other."""
        self._closing = True
        for response in self._responses:
            response.close()

    async def close(self) -> None:
        """Break off, and let go of the connections."""
        self.break_off()
        await self._session.close()

    async def stream(self, url: str, body: Mapping[str, JSON], id: str, too_long: str) -> AsyncGenerator[bytes]:
        """The response's bytes as they come. Closing the iterator closes the connection, and so aborts the work there.

        Raises EngineError.
        """
        async with self._posted(url, body, id, too_long, "text/event-stream") as response:
            kind = response.content_type
            if kind != "text/event-stream":
                raise EngineError("engine_failed", f"{self.host} answered with {kind} where a stream was asked for.")
            while data := await response.content.readany():
                yield data

    async def post(self, url: str, body: Mapping[str, JSON], id: str, too_long: str) -> bytes:
        """A whole answer. Raises EngineError."""
        async with self._posted(url, body, id, too_long, "application/json") as response:
            return await _whole(response, _LONGEST)

    async def get(self, url: str, seconds: float) -> tuple[int, bytes]:
        """A status and what it says. Raises EngineError `engine_unreachable`."""
        return await self._whole("GET", url, seconds)

    async def call(self, url: str, seconds: float) -> int:
        """The status of an empty POST, as switches want it. Raises EngineError `engine_unreachable`."""
        return (await self._whole("POST", url, seconds))[0]

    async def _whole(self, method: str, url: str, seconds: float) -> tuple[int, bytes]:
        # A switch may be somebody else's, who is not told the key.
        key = self._key if url.startswith(f"{self.root}/") else {}
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(method, url, headers=key, allow_redirects=False) as response,
            ):
                return response.status, await _whole(response, _LONGEST)
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            # The library's own word for a session that was closed is RuntimeError.
            raise self._unreachable(error) from error

    @asynccontextmanager
    async def _posted(
        self, url: str, body: Mapping[str, JSON], id: str, too_long: str, accept: str
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """An answer of status 200; its connection serves others again only if it was read to its end."""
        response = await self._post(url, msgspec.json.encode(body), id, accept)
        self._responses.add(response)
        try:
            if response.status != 200:
                told = await _whole(response, _LONGEST_REFUSAL)
                raise refusal(
                    response.status, response.headers, told, host=self.host, now=time.time(), too_long=too_long
                )
            yield response
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError("engine_died", f"{self.host} broke off its answer.") from error
        finally:
            self._responses.discard(response)
            response.close()

    async def _post(self, url: str, body: bytes, id: str, accept: str) -> aiohttp.ClientResponse:
        headers = {"Content-Type": "application/json", "Accept": accept, "X-Request-Id": id, **self._key}
        try:
            # Another address would be given the key too.
            return await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            if self._closing:
                raise EngineError("engine_died", "The engine was stopped.") from error
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> EngineError:
        if isinstance(error, TimeoutError):
            why = "it took too long"
        elif isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
            why = os.strerror(error.os_error.errno)
        else:
            why = str(error) or type(error).__name__
        return EngineError("engine_unreachable", f"{self.host} cannot be reached: {why}.")


async def _whole(response: aiohttp.ClientResponse, most: int) -> bytes:
    """A body up to that size. Raises EngineError `engine_failed` on a larger one."""
    parts: list[bytes] = []
    left = most
    while part := await response.content.readany():
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise EngineError("engine_failed", f"The upstream's answer is larger than {most} bytes.")
    return b"".join(parts)

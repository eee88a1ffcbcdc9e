"""Carries files between callers, the store and the engines: what engines/porter.py promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp

from engines.base import Kept
from engines.errors import EngineError
from engines.porter import Opened
from gateway.errors import HearthError
from gateway.files import data_urls
from gateway.files.file import mark
from gateway.files.measure import PIECE
from gateway.files.names import plain_name, plain_type
from gateway.files.store import Facts, Files
from gateway.outgoing import Outgoing, Refused, why

_HOPS: Final = 5
"""Redirects that are followed, each one looked at as the first address is."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class Bounds(NamedTuple):
    """How large a file may be that is fetched or given by a model (bytes), and how long fetching may take."""

    most: int = 1 << 30
    fetch_s: float = 300.0


class FilePorter:
    """The porter of a server. `owner_of` tells the namespace of a running generation; it may raise HearthError."""

    def __init__(
        self, files: Files, outgoing: Outgoing, owner_of: Callable[[str], Awaitable[str]], bounds: Bounds | None = None
    ) -> None:
        self._files = files
        self._outgoing = outgoing
        self._owner_of = owner_of
        self._bounds = bounds or Bounds()

    @asynccontextmanager
    async def open(self, kept: Kept) -> AsyncIterator[Opened]:
        """A file that the server keeps. Raises EngineError `invalid_request` if gone, `engine_failed`."""
        try:
            file = await self._files.of(kept)
        except HearthError as error:
            raise _not_read(kept.name, error) from None
        chunks = self._read(kept)
        try:
            yield Opened(file.name, file.content_type, file.size, chunks)
        finally:
            await chunks.aclose()

    @asynccontextmanager
    async def fetch(self, url: str) -> AsyncIterator[Opened]:
        """What is at that address, or in it. Raises EngineError `invalid_request`, there and while it is read."""
        if (data := data_urls.parse(url)) is not None:
            yield Opened(data.name, data.content_type, None, self._decode(url, data))
            return
        until = asyncio.get_running_loop().time() + self._bounds.fetch_s
        async with AsyncExitStack() as stack:
            async with _reaching(url, until):
                response = await self._follow(stack, url)
            self._check_size(response.content_length or 0)
            name = unquote(response.url.raw_name) or "file"
            content_type = plain_type(response.headers.get("content-type"))
            chunks = self._body(url, response, until)
            yield Opened(plain_name(name), content_type, response.content_length, chunks)

    async def keep(self, generation: str, name: str, content_type: str, chunks: AsyncIterable[bytes]) -> Kept:
        """Keep what a model gave, for its owner. Raises EngineError `engine_failed`."""
        try:
            owner = mark(await self._owner_of(generation))
            facts = Facts(name, content_type, generation=generation)
            file = await self._files.keep(owner, "output", chunks, self._bounds.most, lambda: facts)
        except HearthError as error:
            raise EngineError("engine_failed", f"The model's file {name!r} was not kept: {error.message}") from None
        return file.kept

    async def _read(self, kept: Kept) -> AsyncGenerator[bytes]:
        try:
            async for piece in self._files.read(await self._files.of(kept)):
                yield piece
        except HearthError as error:
            raise _not_read(kept.name, error) from None

    async def _follow(self, stack: AsyncExitStack, url: str) -> aiohttp.ClientResponse:
        """The answer behind all redirects."""
        host = urlsplit(url).hostname
        for _ in range(_HOPS + 1):
            request = self._outgoing.request("GET", url, headers={"accept-encoding": "identity"})
            response = await stack.enter_async_context(request)
            if response.status not in _REDIRECTS or "location" not in response.headers:
                if response.status != 200:
                    raise _unfetched(f"{host} answers with {response.status}.")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise _unfetched(f"{host} gives it compressed, and was asked not to.")
                return response
            url = urljoin(url, response.headers["location"])
            response.close()
        raise _unfetched(f"{host} leads to more than {_HOPS} other addresses.")

    async def _body(self, url: str, response: aiohttp.ClientResponse, until: float) -> AsyncGenerator[bytes]:
        size = 0
        while True:
            async with _reaching(url, until):
                piece = await response.content.read(PIECE)
            if not piece:
                return
            size += len(piece)
            self._check_size(size)
            yield piece

    async def _decode(self, url: str, data: data_urls.DataURL) -> AsyncGenerator[bytes]:
        size = 0
        try:
            for piece in data_urls.pieces(url, data):
                size += len(piece)
                self._check_size(size)
                yield piece
        except ValueError as error:
            raise EngineError("invalid_request", f"A data URL cannot be read. {error}") from None

    def _check_size(self, size: int) -> None:
        if size > self._bounds.most:
            raise _unfetched(f"It has more than {self._bounds.most} bytes.")


@asynccontextmanager
async def _reaching(url: str, until: float) -> AsyncIterator[None]:
    """Raises EngineError `invalid_request` that names the host alone: what follows it may be a secret."""
    host = urlsplit(url).hostname
    try:
        async with asyncio.timeout_at(until):
            yield
    except Refused as error:
        raise _unfetched(str(error)) from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _unfetched(f"{host} did not give it, as {why(error)}.") from None


def _unfetched(reason: str) -> EngineError:
    return EngineError("invalid_request", f"A file that the input names cannot be fetched: {reason}")


def _not_read(name: str, error: HearthError) -> EngineError:
    if error.code == "unknown_file":
        return EngineError("invalid_request", f"The file {name!r} is no longer kept; upload it again.")
    return EngineError("engine_failed", f"The file {name!r} cannot be read: {error.message}")

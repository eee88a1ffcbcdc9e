"""A small server on the loopback, where a predictor fetches its input files and brings an output file.

So no process that runs a model ever asks for an address that a caller wrote, and no file is in memory whole. Its
addresses cannot be guessed, and each is there while its prediction runs.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final
from urllib.parse import quote

from aiohttp import web

from engines.base import Kept
from engines.errors import EngineError
from engines.porter import Opened, Porter

_PIECE: Final = 256 << 10
_CLOSE_S: Final = 0.5

Opening = Callable[[], AbstractAsyncContextManager[Opened]]


class FileServer:
    """Whoever opens one closes it."""

    def __init__(self, porter: Porter) -> None:
        self._porter = porter
        self._offers: dict[str, tuple[str, Opening]] = {}
        """By what stands in an address: the prediction, and a way to the file."""
        self._generations: dict[str, str] = {}
        """By prediction: for whom it is."""
        self._faults: dict[str, EngineError] = {}
        self._kept: dict[str, dict[str, Kept]] = {}
        self._token = secrets.token_urlsafe(24)
        self._runner: web.AppRunner | None = None
        self._base = ""

    async def open(self) -> None:
        """Begin to listen. Raises OSError."""
        app = web.Application()
        app.router.add_get(f"/{self._token}/in/{{offer}}/{{name:.*}}", self._give)
        app.router.add_put(f"/{self._token}/out/{{name:.*}}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self._base = f"http://127.0.0.1:{port}/{self._token}"

    async def close(self) -> None:
        """Stop to listen; what is under way breaks off."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def upload_url(self) -> str:
        """Where an output file is brought, its name behind it."""
        return f"{self._base}/out/"

    def expect(self, prediction: str, generation: str) -> None:
        """Serve a prediction until it is forgotten."""
        self._generations[prediction] = generation

    def offer(self, prediction: str, name: str, opening: Opening) -> str:
        """The address at which the predictor finds a file."""
        offer = secrets.token_urlsafe(12)
        self._offers[offer] = (prediction, opening)
        return f"{self._base}/in/{offer}/{quote(name.replace('/', '_'), safe='') or 'file'}"

    def fault(self, prediction: str) -> EngineError | None:
        """What kept a file from coming or going, if anything did."""
        return self._faults.get(prediction)

    def kept(self, prediction: str, url: str) -> Kept | None:
        """The file that was brought and is called by that address."""
        return self._kept.get(prediction, {}).get(url)

    def forget(self, prediction: str) -> None:
        """Serve it no more."""
        for known in (self._generations, self._faults, self._kept):
            known.pop(prediction, None)
        for offer in [offer for offer, (whose, _) in self._offers.items() if whose == prediction]:
            del self._offers[offer]

    async def _give(self, request: web.Request) -> web.StreamResponse:
        prediction, opening = self._offers.get(request.match_info["offer"], ("", None))
        if opening is None:
            raise web.HTTPNotFound
        response = web.StreamResponse()
        try:
            async with opening() as opened:
                response.content_type = opened.content_type.partition(";")[0].strip() or "application/octet-stream"
                response.content_length = opened.size
                await response.prepare(request)
                async for piece in opened.chunks:
                    await response.write(piece)
        except EngineError as error:
            self._faults.setdefault(prediction, error)
            if not response.prepared:
                raise web.HTTPBadGateway from error
            # A file that ends too soon must not look whole.
            response.force_close()
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _take(self, request: web.Request) -> web.Response:
        prediction = request.headers.get("x-prediction-id", "")
        generation = self._generations.get(prediction)
        if generation is None:
            raise web.HTTPNotFound
        try:
            name = request.match_info["name"] or "output"
            kept = await self._porter.keep(generation, name, request.content_type, _pieces(request))
        except EngineError as error:
            self._faults.setdefault(prediction, error)
            raise web.HTTPBadGateway from error
        url = f"{self._base}/kept/{kept.id}"
        self._kept.setdefault(prediction, {})[url] = kept
        return web.Response(headers={"Location": url})


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_chunked(_PIECE):
        yield piece

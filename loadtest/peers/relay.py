"""A bare relay, as one writes it in an evening: Starlette takes the request, aiohttp asks, the bytes go through.

`python -m loadtest.peers.relay --port PORT --behind URL`
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def app(behind: str) -> Starlette:
    """Return the application that relays chat completions to that server."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, aiohttp.ClientSession]]:
        unlimited = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(behind, connector=unlimited, timeout=aiohttp.ClientTimeout(None)) as session:
            yield {"session": session}

    async def relay(request: Request) -> Response:
        headers = {"content-type": "application/json"}
        answer = await request.state.session.post(request.url.path, data=await request.body(), headers=headers)
        return StreamingResponse(_body(answer), answer.status, media_type=answer.headers.get("content-type"))

    async def health(_: Request) -> Response:
        return Response()

    routes = [Route("/v1/chat/completions", relay, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=lifespan)


async def _body(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for part in answer.content.iter_any():
            yield part


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behind", required=True)
    arguments = parser.parse_args()
    uvicorn.run(app(arguments.behind), port=arguments.port, log_level="warning", loop="uvloop", http="httptools")


if __name__ == "__main__":
    main()

"""One watch: connect, read, and connect again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

import httpx
from websockets.asyncio.client import ClientConnection, connect

from hearth_client import wire
from hearth_client.border import border
from hearth_client.errors import HearthError
from hearth_client.events import Event
from hearth_client.reading import Reading, parsed

_LANE = "watch"


async def survive(
    reading: Reading, connected: Callable[[], AsyncGenerator[Event, None]]
) -> AsyncGenerator[Event, None]:
    """Yield the events of one connection after another, until the log has ended."""
    while not reading.done:
        try:
            with border():
                async with aclosing(connected()) as events:
                    async for event in events:
                        yield event
        except HearthError as error:
            await asyncio.sleep(reading.lost(error))


async def over_sse(reading: Reading, http: httpx.AsyncClient, silence: float) -> AsyncGenerator[Event, None]:
    """Yield what one SSE response brings."""
    timeout = httpx.Timeout(silence, connect=10)
    headers = wire.watch_headers(reading.after)
    async with http.stream("GET", wire.stream_path(reading.generation), headers=headers, timeout=timeout) as answer:
        if answer.status_code == 204:
            reading.ended()
            return
        if not answer.is_success:
            raise wire.refusal(answer.status_code, answer.headers, await answer.aread())
        reading.connected()
        async for chunk in answer.aiter_raw():
            for event in reading.bytes(chunk):
                yield event
            if reading.done:
                return
    raise HearthError("connection_lost", "the stream stopped before the log's end", retry=True)


async def over_ws(
    reading: Reading, url: str, headers: Mapping[str, str], silence: float
) -> AsyncGenerator[Event, None]:
    """Yield what one WebSocket brings."""
    async with opened(url, headers) as socket:
        await socket.send(wire.attach(_LANE, reading.generation, reading.after))
        async with aclosing(_texts(socket, silence)) as texts:
            async for text in texts:
                event = reading.frame(parsed(text))
                if event is not None:
                    yield event
                if reading.done:
                    return


def opened(url: str, headers: Mapping[str, str]) -> connect:
    """Return a socket to enter."""
    # Our own pings replace the library's: they ask the server itself, where a proxy may answer the protocol's.
    return connect(url, additional_headers=headers, compression=None, ping_interval=None, max_size=wire.MAX_FRAME)


async def _texts(socket: ClientConnection, silence: float) -> AsyncGenerator[str | bytes, None]:
    """Yield text frames; ask a quiet server twice whether it lives, then give it up."""
    quiet = 0
    while True:
        try:
            async with asyncio.timeout(silence / 3):
                text = await socket.recv()
        except TimeoutError:
            quiet += 1
            if quiet == 3:
                raise HearthError("silent", "nothing arrived for too long", retry=True) from None
            await socket.send(wire.PING)
        else:
            quiet = 0
            yield text

"""One watch: connect, read, and connect again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import httpx
from websockets.sync.client import ClientConnection, connect

from hearth_client import wire
from hearth_client.border import border
from hearth_client.errors import HearthError
from hearth_client.events import Event
from hearth_client.reading import Reading, parsed

_LANE = "watch"


def survive(reading: Reading, connected: Callable[[], Iterator[Event]]) -> Iterator[Event]:
    """Yield the events of one connection after another, until the log has ended."""
    while not reading.done:
        try:
            with border():
                yield from connected()
        except HearthError as error:
            time.sleep(reading.lost(error))


def over_sse(reading: Reading, http: httpx.Client, silence: float) -> Iterator[Event]:
    """Yield what one SSE response brings."""
    timeout = httpx.Timeout(silence, connect=10)
    headers = wire.watch_headers(reading.after)
    with http.stream("GET", wire.stream_path(reading.generation), headers=headers, timeout=timeout) as answer:
        if answer.status_code == 204:
            reading.ended()
            return
        if not answer.is_success:
            raise wire.refusal(answer.status_code, answer.headers, answer.read())
        reading.connected()
        for chunk in answer.iter_raw():
            yield from reading.bytes(chunk)
            if reading.done:
                return
    raise HearthError("connection_lost", "the stream stopped before the log's end", retry=True)


def over_ws(reading: Reading, url: str, headers: Mapping[str, str], silence: float) -> Iterator[Event]:
    """Yield what one WebSocket brings."""
    # Our own pings replace the library's: they ask the server itself, where a proxy may answer the protocol's.
    with connect(
        url, additional_headers=headers, compression=None, ping_interval=None, max_size=wire.MAX_FRAME
    ) as socket:
        socket.send(wire.attach(_LANE, reading.generation, reading.after))
        for text in _texts(socket, silence):
            event = reading.frame(parsed(text))
            if event is not None:
                yield event
            if reading.done:
                return


def _texts(socket: ClientConnection, silence: float) -> Iterator[str | bytes]:
    """Yield text frames; ask a quiet server twice whether it lives, then give it up."""
    quiet = 0
    while True:
        try:
            text = socket.recv(timeout=silence / 3)
        except TimeoutError:
            quiet += 1
            if quiet == 3:
                raise HearthError("silent", "nothing arrived for too long", retry=True) from None
            socket.send(wire.PING)
        else:
            quiet = 0
            yield text

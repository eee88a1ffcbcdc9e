"""One visit of each kind that the chaos harness does not know: those that leave, stop, only watch, or predict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from loadtest.chaos.connection import Connection, connected
from loadtest.chaos.readers import Native, Reader
from loadtest.chaos.story import Story, Violation, judge
from loadtest.chaos.wire import Frame, Response, request
from loadtest.soak.plan import OWNER, SLOW, Ask

_STREAM: Final = {"accept": "text/event-stream"}
_PING_S: Final = 5.0


class Door:
    """Where the server is called, and by whom."""

    def __init__(self, port: int, patience_s: float) -> None:
        self._port = port
        self._patience_s = patience_s

    async def call(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """One JSON answer. Raises Violation where it is an error; Lost, Silent."""
        response = Response()
        packed = b"" if body is None else json.dumps(body).encode()
        await self._hear(request(method, path, headers, packed), response, _ignore)
        if response.status >= 400:
            raise Violation(f"refused: {method} {path}: {response.status} {response.body[:200]!r}")
        return response.json()

    async def events(self, path: str, headers: Mapping[str, str], hear: Callable[[Frame], None]) -> None:
        """All events of a stream. Raises Violation where there is none; Lost, Silent."""
        response = Response()
        await self._hear(request("GET", path, {**_STREAM, **headers}), response, hear)
        if response.status != 200:
            raise Violation(f"refused: GET {path}: {response.status} {response.body[:200]!r}")

    async def leave(self, ask: Ask, stay_s: float) -> None:
        """Read a plain stream for so long, and be gone without a word. Raises Violation where what came was wrong."""
        story, response = Story(), Response()
        asked = request("POST", "/v1/chat/completions", {**_STREAM, **ask.headers}, ask.packed(True))
        try:
            async with asyncio.timeout(stay_s):
                await self._hear(asked, response, story.hear_chunk)
        except TimeoutError:
            pass
        if response.status not in (0, 200) or story.sent_away or story.ended not in (None, "finished"):
            raise Violation(f"failed: {response.status} {story.sent_away} {story.ended} {response.body[:200]!r}")
        _begins(story, ask)

    async def wait(self, headers: Mapping[str, str], stay_s: float) -> None:
        """Hold an open socket without any lane, and ask now and then whether it lives. Raises Violation; Lost."""
        async with connected(self._port, None, self._patience_s) as connection:
            wire = ClientProtocol(parse_uri("ws://127.0.0.1/v1/ws"))
            handshake = wire.connect()
            handshake.headers.update(headers)
            wire.send_request(handshake)
            until = asyncio.get_running_loop().time() + stay_s
            while wire.state is State.CONNECTING:
                await _texts(connection, wire)
            while (left := until - asyncio.get_running_loop().time()) > 0:
                await asyncio.sleep(min(left, _PING_S))
                wire.send_text(b'{"t":"ping"}')
                said: list[bytes] = []
                while not said and wire.state is State.OPEN:
                    said = await _texts(connection, wire)
                if said != [b'{"t":"pong"}']:
                    raise Violation(f"closed: a ping was answered with {said}, {wire.close_rcvd}")

    async def _hear(self, question: bytes, response: Response, hear: Callable[[Frame], None]) -> None:
        async with connected(self._port, None, self._patience_s) as connection:
            connection.send(question)
            while not response.ended:
                for frame in response.feed(await connection.receive()):
                    hear(frame)


class Watched:
    """The slow generations, one for each key, which are begun anew when the last has been there for a while."""

    def __init__(self, door: Door, fresh_s: float = 45.0) -> None:
        self._door = door
        self._fresh_s = fresh_s
        self._ids: dict[str, tuple[float, str]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def id(self, ask: Ask) -> str:
        """One to watch."""
        async with self._turns.setdefault(ask.secret, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            since, id = self._ids.get(ask.secret, (-self._fresh_s, ""))
            if now - since >= self._fresh_s:
                body = Ask(SLOW, f"watch {now}", 1_000, secret=ask.secret).body(False)
                since, id = now, (await self._door.call("POST", "/v1/streams", ask.headers, body))["id"]
                self._ids[ask.secret] = since, id
            return id


async def cancel(door: Door, reader: Reader, ask: Ask, stay_s: float) -> None:
    """Read for a while, then have it stopped: that is told to its reader. Raises Violation; Gone, Lost, Silent."""
    reading = asyncio.create_task(reader.read())
    try:
        await asyncio.wait([reading], timeout=stay_s)
        while not reader.id and not reading.done():
            await asyncio.wait([reading], timeout=0.1)
        if reader.id:
            await door.call("DELETE", f"/v1/streams/{reader.id}", ask.headers)
        await reading
    finally:
        reading.cancel()
    if reader.story.ended not in ("canceled", "finished"):
        raise Violation(f"failed: ended with {reader.story.ended}, though it was stopped")
    _begins(reader.story, ask)


async def watch(reader: Native, id: str, stay_s: float) -> None:
    """Follow a generation that others follow too, and leave. Raises Violation; Gone, Lost, Silent."""
    reader.id = id
    try:
        async with asyncio.timeout(stay_s):
            await reader.watch()
    except TimeoutError:
        return
    # The last reader before us may have left too long ago.
    if reader.story.ended != "canceled":
        raise Violation(f"failed: the slow one ended with {reader.story.ended}")


async def predict(door: Door, ask: Ask, stay_s: float, stops: bool) -> None:
    """A prediction, read from its stream to the end, or stopped. Raises Violation; Lost, Silent."""
    asked = {"input": {"prompt": ask.content, "max_tokens": ask.max_tokens}}
    told = await door.call("POST", f"/replicate/v1/models/{OWNER}/{ask.model}/predictions", ask.headers, asked)
    path = f"/replicate/v1/predictions/{told['id']}"
    if stops:
        await asyncio.sleep(stay_s / 10)
        await door.call("POST", f"{path}/cancel", ask.headers)
        return
    said: list[str] = []
    await door.events(
        urlsplit(told["urls"]["stream"]).path,
        {},
        lambda frame: said.append(frame.data) if frame.event == "output" else None,
    )
    story = Story()
    story.text = "".join(said)
    judge(story, ask.truth)
    shown = await door.call("GET", path, ask.headers)
    if shown["status"] != "succeeded" or "".join(shown["output"]) != ask.truth:
        raise Violation(f"different: the prediction is {shown['status']}")


async def _texts(connection: Connection, wire: ClientProtocol) -> list[bytes]:
    """Send what is to be sent, and take what comes next; the server's own pings are answered."""
    connection.send(b"".join(wire.data_to_send()))
    wire.receive_data(await connection.receive())
    connection.send(b"".join(wire.data_to_send()))
    events = wire.events_received()
    return [bytes(each.data) for each in events if isinstance(each, WireFrame) and each.opcode is Opcode.TEXT]


def _begins(story: Story, ask: Ask) -> None:
    if not ask.truth.startswith(story.text):
        raise Violation(f"different: {story.text[-60:]!r} is no part of what should have been said")


def _ignore(frame: Frame) -> None:
    raise Violation(f"refused: a stream where none was asked for: {frame}")

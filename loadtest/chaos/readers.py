"""Readers that lose their connections and come back, anywhere: one class for each transport."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from websockets.client import ClientProtocol
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Response as Handshake
from websockets.protocol import State
from websockets.uri import parse_uri

from loadtest.chaos.connection import Connection, Cut, Lost, Silent, connected
from loadtest.chaos.plan import Ask
from loadtest.chaos.replicas import Process
from loadtest.chaos.story import TOLD, Gone, Story, Violation
from loadtest.chaos.tally import Tally
from loadtest.chaos.wire import Frame, Response, request

_STREAM: Final = {"accept": "text/event-stream"}
_LONGEST_PAUSE_S: Final = 0.4


class Manners(Protocol):
    """How long a reader waits, and how often it is cut."""

    @property
    def patience_s(self) -> float: ...

    @property
    def deadline_s(self) -> float: ...

    def cut(self, chance: random.Random) -> int | None: ...


class Reader:
    """One reader of one answer. Raises Violation, and Gone where the log was lost and that was told."""

    def __init__(
        self,
        plan: Manners,
        ask: Ask,
        replicas: Sequence[Process],
        tally: Tally,
        chance: random.Random,
        cuts: bool = True,
    ) -> None:
        self.story = Story()
        self.id = ""
        """The generation's."""
        self._plan = plan
        self._ask = ask
        self._replicas = replicas
        self._tally = tally
        self._chance = chance
        self._cuts = cuts

    async def read(self) -> None:
        """Have the prompt answered, and read to the end."""
        while not self.id:
            await self._attempt(self._create)
        await self.watch()

    async def watch(self) -> None:
        """Read to the end what was begun."""
        while self.story.ended is None:
            await self._attempt(self._go_on)

    async def _create(self, connection: Connection) -> None:
        raise NotImplementedError

    async def _go_on(self, connection: Connection) -> None:
        """Read on by the native SSE."""
        position = self.story.position
        headers = {**_STREAM, **self._ask.headers, **({} if position is None else {"last-event-id": position})}
        response = Response()
        self.story.sent_away = None
        connection.send(request("GET", f"/v1/streams/{self.id}", headers))
        await self._hear(connection, response, self.story.hear)
        match response.status:
            case 200:
                self._left_well()
            case 204:
                raise Violation(f"silent_end: 204 at {position}")
            case _:
                self._refused(response.code, f"{response.status} {response.body[:200]!r} at {position}")

    def _left_well(self) -> None:
        """The server ended the answer: that has to have a reason."""
        if self.story.sent_away is not None:
            self._tally.now.met[f"sent away: {self.story.sent_away}"] += 1
        elif self.story.ended is None:
            raise Violation(f"silent_end: a stream ended after {self.story.position}, and nothing was said")

    def _refused(self, code: str, shown: str) -> None:
        self._tally.now.met[code or shown] += 1
        if code in TOLD:
            self.story.restart()
        elif code in ("unknown_generation", "expired"):
            raise Gone(code)
        elif code not in ("draining", "overloaded", "log_unavailable", "lost_lease"):
            raise Violation(f"refused: {shown}")

    async def _attempt(self, talk: Callable[[Connection], Any]) -> None:
        """One connection to any replica, and what becomes of it."""
        replica, met = self._chance.choice(self._replicas), self._tally.now.met
        most = self._plan.cut(self._chance) if self._cuts else None
        began = time.monotonic()
        try:
            async with connected(replica.port, most, self._plan.patience_s) as connection:
                try:
                    await talk(connection)
                finally:
                    if not replica.harmed_since(began):
                        told = f"{replica.name} at {time.time():.1f}, after {self.story.position}"
                        self._tally.now.silent(connection.longest_silence, f"{type(self).__name__}: {told}")
        except Cut:
            met["cut"] += 1
        except Lost as lost:
            met[f"lost: {lost}"] += 1
            if not replica.harmed_since(began):
                raise Violation(f"dropped: by {replica.name}, which was well, after {self.story.position}") from None
        except Silent:
            raise Violation(f"hanging: {replica.name} said nothing more after {self.story.position}") from None
        if self.story.ended is None:
            await asyncio.sleep(self._chance.uniform(0, _LONGEST_PAUSE_S))

    async def _hear(self, connection: Connection, response: Response, hear: Callable[[Frame], None]) -> None:
        while not response.ended:
            for frame in response.feed(await connection.receive()):
                hear(frame)


class Native(Reader):
    """`POST /v1/streams`, then SSE."""

    async def _create(self, connection: Connection) -> None:
        response = Response()
        connection.send(request("POST", "/v1/streams", self._ask.headers, self._ask.packed(False)))
        await self._hear(connection, response, _nothing)
        if response.status == 201:
            self.id = response.json()["id"]
        else:
            self._refused(response.code, f"{response.status} {response.body[:200]!r}")


class OpenAI(Reader):
    """OpenAI's stream with `X-Resumable: 1`; after a cut it goes on at `location`, in the other dialect."""

    async def _create(self, connection: Connection) -> None:
        response = Response()
        headers = {**_STREAM, **self._ask.headers, "x-resumable": "1"}
        connection.send(request("POST", "/v1/chat/completions", headers, self._ask.packed(True)))
        try:
            await self._hear(connection, response, self.story.hear_chunk)
        finally:
            self.id = response.headers.get("location", "").rpartition("/")[2] if response.status == 200 else ""
        if response.status == 200:
            self._left_well()
        else:
            self._refused(response.code, f"{response.status} {response.body[:200]!r}")


class Socket(Reader):
    """A WebSocket with one lane; each connection is a new socket."""

    _epoch = ""

    async def _create(self, connection: Connection) -> None:
        body = self._ask.body(True)
        await self._talk(connection, {"t": "create", "id": "a", "request": body, "resumable": True})

    async def _go_on(self, connection: Connection) -> None:
        after = self.story.position
        attach = {"t": "attach", "id": "a", "generation": self.id}
        await self._talk(connection, attach if after is None else {**attach, "after": after})

    async def _talk(self, connection: Connection, first: dict[str, Any]) -> None:
        wire = ClientProtocol(parse_uri("ws://127.0.0.1/v1/ws"), max_size=None)
        handshake = wire.connect()
        handshake.headers.update(self._ask.headers)
        wire.send_request(handshake)
        connection.send(b"".join(wire.data_to_send()))
        while self.story.ended is None:
            wire.receive_data(await connection.receive())
            for event in wire.events_received():
                if isinstance(event, Handshake):
                    if event.status_code != 101:
                        raise Violation(f"refused: the socket, with {event.status_code}")
                    if wire.state is State.OPEN:
                        wire.send_text(json.dumps(first).encode())
                elif isinstance(event, WireFrame) and event.opcode is Opcode.TEXT:
                    if self._lane(json.loads(bytes(event.data))):
                        return
                elif isinstance(event, WireFrame) and event.opcode is Opcode.CLOSE:
                    self._closed(wire)
                    return
            connection.send(b"".join(wire.data_to_send()))

    def _lane(self, said: dict[str, Any]) -> bool:
        """Take what is said on the lane; whether the lane is over."""
        story = self.story
        match said["t"]:
            case "attached":
                self.id = said["generation"]
                self._epoch = said["epoch"]
                story.attach(said["from"])
            case "epoch":
                self._epoch = said["epoch"]
            case "error":
                self._refused(said["code"], str(said))
                return True
            case "detached":
                raise Violation(f"silent_end: detached at {story.position}")
            case event:
                story.take(self._epoch, event, said)
        return False

    def _closed(self, wire: ClientProtocol) -> None:
        close = wire.close_rcvd
        if close is None or close.code not in (1012, 1013):
            raise Violation(f"closed: {close} after {self.story.position}")
        self._tally.now.met[f"closed: {close.code} {close.reason}"] += 1


def _nothing(frame: Frame) -> None:
    raise Violation(f"refused: a stream where none was asked for: {frame}")


class Plain(Reader):
    """OpenAI's stream as most clients ask for it: one connection, which must give all or say that it does not."""

    told: str | None = None
    """What was said instead of the whole answer."""

    async def read(self) -> None:
        while self.told is None and self.story.ended is None:
            await self._attempt(self._create)

    async def _attempt(self, talk: Callable[[Connection], Any]) -> None:
        replica, began = self._chance.choice(self._replicas), time.monotonic()
        try:
            async with connected(replica.port, None, self._longest_silence()) as connection:
                try:
                    await talk(connection)
                except Lost as lost:
                    if not replica.harmed_since(began):
                        raise Violation(f"dropped: by {replica.name}, which was well: {lost}") from None
                    self.told = "connection lost"
        except Lost:
            self._tally.now.met["lost: not there"] += 1
            await asyncio.sleep(self._chance.uniform(0, _LONGEST_PAUSE_S))
        except Silent:
            raise Violation(f"hanging: {replica.name} said nothing more after {len(self.story.text)} letters") from None

    def _longest_silence(self) -> float:
        return self._plan.patience_s

    async def _create(self, connection: Connection) -> None:
        response = Response()
        headers = {**_STREAM, **self._ask.headers}
        connection.send(request("POST", "/v1/chat/completions", headers, self._ask.packed(True)))
        await self._hear(connection, response, self.story.hear_chunk)
        if response.status != 200:
            self.told = self._failure(response)
        elif self.story.sent_away is not None:
            self.told = self.story.sent_away
        elif self.story.ended is None:
            raise Violation(f"silent_end: after {len(self.story.text)} letters")

    def _failure(self, response: Response) -> str:
        if not response.code or not response.json()["error"]["retry"]:
            raise Violation(f"refused: {response.status} {response.body[:200]!r}")
        return f"{response.status} {response.code}"


class Json(Plain):
    """A plain JSON answer."""

    def _longest_silence(self) -> float:
        # It comes all at once.
        return self._plan.deadline_s

    async def _create(self, connection: Connection) -> None:
        response = Response()
        connection.send(request("POST", "/v1/chat/completions", self._ask.headers, self._ask.packed(False)))
        await self._hear(connection, response, _nothing)
        if response.status == 200:
            self.story.text = response.json()["choices"][0]["message"]["content"]
            self.story.ended = "finished"
        else:
            self.told = self._failure(response)


READERS: Final[dict[str, type[Reader]]] = {
    "native": Native,
    "socket": Socket,
    "openai": OpenAI,
    "openai-plain": Plain,
    "json": Json,
}

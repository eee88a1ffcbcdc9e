"""What is said on one socket: one task hears the client, one speaks for all its lanes in turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.keys import LOCAL
from gateway.log.base import Position
from gateway.surfaces.lane import TURN_BYTES, Lane
from gateway.surfaces.stall import Stall
from gateway.wire import prompt

MOST_LANES: Final = 128
MOST_BAD_FRAMES: Final = 10
"""Frames in a row that make no sense before the socket is closed."""
_MOST_REPLIES: Final = 64
_NAME_LETTERS: Final = 64

Verb = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Does what a frame on that lane asks for. Raises HearthError, which is told on the lane."""

_log = logging.getLogger(__name__)


class Conversation:
    """Hears frames, opens and closes lanes, and speaks until either side ends it.

    However many lanes there are, the socket has two tasks, and what waits to be sent is in the logs.
    """

    def __init__(self, gateway: Gateway, websocket: WebSocket, abandon_after_s: float) -> None:
        self._gateway = gateway
        self._websocket = websocket
        self._abandon_after_s = abandon_after_s
        self._lanes: dict[str, Lane] = {}
        self._ready: dict[Lane, None] = {}
        """Lanes that have something to say, the next one first."""
        self._replies: deque[dict[str, Any]] = deque()
        self._goodbye: HearthError | None = None
        self._bad_frames = 0
        self._awake = asyncio.Event()
        self._spoke = asyncio.Event()
        self._stall = Stall(websocket.scope)
        self._verbs: Mapping[str, Verb] = {
            "create": self._create,
            "attach": self._attach,
            "cancel": self._cancel,
            "detach": self._detach,
        }

    async def run(self) -> None:
        """Talk until the socket is closed; then no lane is left."""
        speaker = asyncio.create_task(self._speak(), name="speaker")
        self._gateway.on_draining.add(self._awake.set)
        try:
            while (message := await self._websocket.receive())["type"] == "websocket.receive":
                await self._hear(message.get("text"))
                # A client that asks without end and does not listen waits for its answers.
                while len(self._replies) >= _MOST_REPLIES and not speaker.done():
                    self._spoke.clear()
                    await self._spoke.wait()
        finally:
            self._gateway.on_draining.discard(self._awake.set)
            self._stall.close()
            speaker.cancel()
            for lane in list(self._lanes.values()):
                self._drop(lane)
            await asyncio.wait([speaker])

    # Hearing

    async def _hear(self, text: str | None) -> None:
        name: str | None = None
        try:
            frame = _parse(text)
            if frame["t"] == "ping":
                self._reply({"t": "pong"})
            else:
                verb = self._verb(frame)
                name = _name(frame)
                await verb(name, frame)
            self._bad_frames = 0
        except HearthError as error:
            self._lament(name, error)
        except Exception:  # noqa: BLE001
            # The border of a frame: what breaks one lane must not take the others along.
            _log.exception("a frame broke")
            self._lament(name, HearthError("internal_error"))

    def _verb(self, frame: dict[str, Any]) -> Verb:
        verb = self._verbs.get(frame["t"])
        if verb is None:
            raise HearthError("bad_frame", f"There is no frame {frame['t'][:40]!r}; see docs/http.md.")
        return verb

    def _lament(self, lane: str | None, error: HearthError) -> None:
        self._reply(
            {
                "t": "error",
                **({} if lane is None else {"id": lane}),
                "code": error.code,
                "message": error.message,
                "param": error.parameter,
                "retry": error.row.may_retry,
                **error.details,
            }
        )
        if lane is None:
            self._bad_frames += 1
            if self._bad_frames >= MOST_BAD_FRAMES:
                self._goodbye = HearthError("bad_frame")

    async def _create(self, name: str, frame: dict[str, Any]) -> None:
        self._check_free(name)
        request, resumable = frame.get("request"), frame.get("resumable", False)
        if not isinstance(request, dict):
            raise HearthError("invalid_request", "`request` must be an OpenAI body.", parameter="request")
        if not isinstance(resumable, bool):
            raise HearthError("invalid_request", "`resumable` must be true or false.", parameter="resumable")
        ask = prompt.parse({**request, "stream": True})
        grace = self._abandon_after_s if resumable else 0.0
        call = await self._gateway.start(ask.model, ask.prompt, owner=LOCAL, surface="socket", grace=grace)
        await self._open(name, call.generation.id, None)

    async def _attach(self, name: str, frame: dict[str, Any]) -> None:
        self._check_free(name)
        generation, after = frame.get("generation"), frame.get("after")
        if not isinstance(generation, str):
            raise HearthError("invalid_request", "`generation` must be a generation's id.", parameter="generation")
        if after is not None and not isinstance(after, str):
            raise HearthError("bad_position")
        await self._open(name, generation, Position.parse(after) if after is not None else None)

    async def _cancel(self, name: str, frame: dict[str, Any]) -> None:
        await self._gateway.cancel(self._lane(name).reader.log.generation.id, LOCAL)

    async def _detach(self, name: str, frame: dict[str, Any]) -> None:
        self._drop(self._lane(name))
        self._reply({"t": "detached", "id": name})

    async def _open(self, name: str, generation: str, after: Position | None) -> None:
        log = await self._gateway.open(generation, LOCAL)
        reader = self._gateway.join(log, after)
        reader.cut = self._stall.cut
        lane = self._lanes[name] = Lane(name, reader, self._wake)
        self._reply(lane.attached())
        if reader.done:
            # Its end was seen before: there is nothing left to say.
            await self._detach(name, {})
        else:
            lane.rest()

    def _check_free(self, name: str) -> None:
        if name in self._lanes:
            raise HearthError("lane_in_use")
        if len(self._lanes) >= MOST_LANES:
            raise HearthError("too_many_lanes", f"A socket has at most {MOST_LANES} lanes; detach one first.")

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            raise HearthError("unknown_lane")
        return lane

    def _drop(self, lane: Lane) -> None:
        del self._lanes[lane.name]
        self._ready.pop(lane, None)
        lane.close()
        self._gateway.leave(lane.reader)

    # Speaking

    def _reply(self, frame: dict[str, Any]) -> None:
        self._replies.append(frame)
        self._awake.set()

    def _wake(self, lane: Lane) -> None:
        self._ready[lane] = None
        self._awake.set()

    async def _speak(self) -> None:
        try:
            goodbye = await self._talk()
            await self._websocket.close(goodbye.row.close, goodbye.code)
        except WebSocketDisconnect:
            pass  # The hearing task is told as well.
        except Exception:  # noqa: BLE001
            # The border of the task: a silent socket would be waited on for ever.
            _log.exception("a socket broke")
            with suppress(WebSocketDisconnect):
                await self._websocket.close(HearthError("internal_error").row.close)
        finally:
            self._spoke.set()

    async def _talk(self) -> HearthError:
        """Say everything, each lane in its turn, until there is a reason to end."""
        spent = 0
        while not self._stall.asked:
            if self._replies:
                await self._websocket.send_text(orjson.dumps(self._replies.popleft()).decode())
                self._spoke.set()
            elif self._goodbye is not None:
                return self._goodbye
            elif self._ready:
                lane = next(iter(self._ready))
                del self._ready[lane]
                spent += await self._serve(lane)
                if spent > TURN_BYTES:
                    # A write that the transport takes at once does not let the other tasks run.
                    spent = 0
                    await asyncio.sleep(0)
            elif self._gateway.draining.is_set():
                return HearthError("draining")
            else:
                self._awake.clear()
                await self._awake.wait()
        return HearthError("slow_reader")

    async def _serve(self, lane: Lane) -> int:
        """One turn of a lane; how many letters it said."""
        reader, letters = lane.reader, 0
        clock = asyncio.get_running_loop().time
        for message in lane.take():
            reader.sending_since = clock()
            await self._websocket.send_text(message)
            reader.sending_since = None
            letters += len(message)
            if self._lanes.get(lane.name) is not lane:
                return letters
        if reader.done:
            self._drop(lane)
        else:
            lane.rest()
        return letters


def _parse(text: str | None) -> dict[str, Any]:
    if text is None:
        raise HearthError("bad_frame", "Frames are text.")
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise HearthError("bad_json", f"The frame is not valid JSON: {error}.") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("t"), str):
        raise HearthError("bad_frame")
    return frame


def _name(frame: dict[str, Any]) -> str:
    name = frame.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LETTERS:
        raise HearthError("bad_frame", f"`id` must name a lane, in 1 to {_NAME_LETTERS} letters.")
    return name

"""What is asked on one socket: lanes that open and close. One task hears, and one speaks for all lanes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.log.base import Position
from gateway.surfaces.caller import caller, only, still
from gateway.surfaces.lane import Lane
from gateway.surfaces.speaker import Speaker
from gateway.wire import prefer, prompt

MOST_LANES: Final = 128
MOST_BAD_FRAMES: Final = 10
"""Frames in a row that make no sense before the socket is closed."""
_NAME_LETTERS: Final = 64

Verb = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Does what a frame on that lane asks for. Raises HearthError, which is told on the lane."""

_log = logging.getLogger(__name__)


class Conversation:
    """Hears frames and does what they ask for, until either side ends it.

    However many lanes there are, the socket has two tasks, and what waits to be sent is in the logs.
    """

    def __init__(self, gateway: Gateway, websocket: WebSocket, abandon_after_s: float) -> None:
        self._gateway = gateway
        self._websocket = websocket
        self._key = caller(websocket)
        self._only = only(websocket)
        self._abandon_after_s = abandon_after_s
        self._lanes: dict[str, Lane] = {}
        self._speaker = Speaker(websocket, gateway.draining, self._drop)
        self._bad_frames = 0
        self._verbs: Mapping[str, Verb] = {
            "create": self._create,
            "attach": self._attach,
            "cancel": self._cancel,
            "detach": self._detach,
        }

    async def run(self) -> None:
        """Talk until the socket is closed; then no lane is left."""
        speaking = asyncio.create_task(self._speaker.run(), name="speaker")
        self._gateway.on_draining.add(self._speaker.wake)
        try:
            while (message := await self._websocket.receive())["type"] == "websocket.receive":
                await self._hear(message.get("text"))
                await self._speaker.room()
        finally:
            self._gateway.on_draining.discard(self._speaker.wake)
            self._speaker.stall.close()
            speaking.cancel()
            for lane in list(self._lanes.values()):
                self._drop(lane)
            await asyncio.wait([speaking])

    async def _hear(self, text: str | None) -> None:
        name: str | None = None
        try:
            frame = _parse(text)
            if frame["t"] == "ping":
                self._speaker.reply({"t": "pong"})
            else:
                verb = self._verb(frame)
                name = _name(frame)
                if verb in (self._create, self._attach):
                    self._key = await still(self._websocket)
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
        self._speaker.reply(
            {
                "t": "error",
                **({} if lane is None else {"id": lane}),
                "code": error.code,
                "message": error.message,
                "param": error.parameter,
                "retry": error.row.may_retry,
                **({} if error.retry_after_s is None else {"retry_after_s": error.retry_after_s}),
                **error.details,
            }
        )
        if lane is None:
            self._bad_frames += 1
            if self._bad_frames >= MOST_BAD_FRAMES:
                self._speaker.finish(HearthError("bad_frame"))

    async def _create(self, name: str, frame: dict[str, Any]) -> None:
        self._check_free(name)
        self._check_may_write()
        request, resumable = frame.get("request"), frame.get("resumable", False)
        if not isinstance(request, dict):
            raise HearthError("invalid_request", "`request` must be an OpenAI body.", parameter="request")
        if not isinstance(resumable, bool):
            raise HearthError("invalid_request", "`resumable` must be true or false.", parameter="resumable")
        key = frame.get("idempotency_key")
        if key is not None and not isinstance(key, str):
            raise HearthError("invalid_request", "`idempotency_key` must be a string.", parameter="idempotency_key")
        ask = prompt.parse({**request, "stream": True})
        call, _ = await self._gateway.start(
            ask.model,
            ask.prompt,
            key=self._key,
            surface="socket",
            grace=self._abandon_after_s if resumable else 0.0,
            addressed=True,
            idempotency_key=key,
            control=ask.cache,
            patience=prefer.of_frame(frame),
        )
        told: dict[str, Any] = {"cache": call.headers["x-cache"].lower()} if "x-cache" in call.headers else {}
        if "x-fallback-for" in call.headers:
            told |= {"model": call.headers["x-model"], "fallback_for": call.headers["x-fallback-for"]}
        if call.replayed:
            told["idempotent_replayed"] = True
        await self._open(name, call.generation.id, None, told)

    async def _attach(self, name: str, frame: dict[str, Any]) -> None:
        self._check_free(name)
        generation, after = frame.get("generation"), frame.get("after")
        if not isinstance(generation, str):
            raise HearthError("invalid_request", "`generation` must be a generation's id.", parameter="generation")
        if after is not None and not isinstance(after, str):
            raise HearthError("bad_position")
        if self._only not in (None, generation):
            raise HearthError("unknown_generation")
        await self._open(name, generation, Position.parse(after) if after is not None else None)

    async def _cancel(self, name: str, frame: dict[str, Any]) -> None:
        self._check_may_write()
        await self._gateway.cancel(self._lane(name).reader.log.generation.id, self._key.namespace)

    async def _detach(self, name: str, frame: dict[str, Any]) -> None:
        self._drop(self._lane(name))
        self._speaker.reply({"t": "detached", "id": name})

    async def _open(
        self, name: str, generation: str, after: Position | None, told: Mapping[str, Any] | None = None
    ) -> None:
        log = await self._gateway.open(generation, self._key.namespace, after)
        reader = self._gateway.join(log, after)
        reader.cut = self._speaker.stall.cut
        lane = self._lanes[name] = Lane(name, reader, self._speaker.ready)
        self._speaker.reply(lane.attached() | dict(told or {}))
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

    def _check_may_write(self) -> None:
        if self._only is not None:
            raise HearthError("forbidden", "This ticket is for reading one generation.")

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            raise HearthError("unknown_lane")
        return lane

    def _drop(self, lane: Lane) -> None:
        del self._lanes[lane.name]
        self._speaker.forget(lane)
        lane.close()
        self._gateway.leave(lane.reader)


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

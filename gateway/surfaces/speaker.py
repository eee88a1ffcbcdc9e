"""What is said on one socket: answers first, then every lane in its turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import HearthError
from gateway.surfaces.lane import TURN_BYTES, Lane
from gateway.surfaces.stall import Stall

_MOST_REPLIES: Final = 64

_log = logging.getLogger(__name__)


class Speaker:
    """The only one who writes to a socket. Lanes wait here by name alone: what they have to say is in their logs.

    `ended` is told of a lane whose last event was said.
    """

    def __init__(self, websocket: WebSocket, draining: asyncio.Event, ended: Callable[[Lane], None]) -> None:
        self.stall = Stall(websocket.scope)
        self._websocket = websocket
        self._draining = draining
        self._ended = ended
        self._ready: dict[Lane, None] = {}
        """Lanes that have something to say, the next one first."""
        self._replies: deque[dict[str, Any]] = deque()
        self._goodbye: HearthError | None = None
        self._awake = asyncio.Event()
        self._spoke = asyncio.Event()
        self._over = False

    def reply(self, frame: dict[str, Any]) -> None:
        """Say this before anything that a lane has to say."""
        self._replies.append(frame)
        self._awake.set()

    def ready(self, lane: Lane) -> None:
        """Give a lane its next turn."""
        self._ready[lane] = None
        self._awake.set()

    def forget(self, lane: Lane) -> None:
        """Take back `ready`."""
        self._ready.pop(lane, None)

    def finish(self, why: HearthError) -> None:
        """Close the socket once all replies are said."""
        self._goodbye = why
        self._awake.set()

    def wake(self) -> None:
        """Look up: something other than a lane wants attention."""
        self._awake.set()

    async def room(self) -> None:
        """Wait until few replies are left to say: who asks without end and does not listen has to wait."""
        while len(self._replies) >= _MOST_REPLIES and not self._over:
            self._spoke.clear()
            await self._spoke.wait()

    async def run(self) -> None:
        """Speak until there is a reason to end, and close the socket with it."""
        try:
            goodbye = await self._speak()
            await self._websocket.close(goodbye.row.close, goodbye.code)
        except WebSocketDisconnect:
            pass  # Whoever hears is told as well.
        except Exception:  # noqa: BLE001
            # The border of the task: a socket that fell silent would be waited on for ever.
            _log.exception("a socket broke")
            with suppress(WebSocketDisconnect):
                await self._websocket.close(HearthError("internal_error").row.close)
        finally:
            self._over = True
            self._spoke.set()

    async def _speak(self) -> HearthError:
        spent = 0
        while not self.stall.asked:
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
            elif self._draining.is_set():
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
            if lane.closed:
                return letters
        if reader.done:
            self._ended(lane)
        elif reader.log.lost is not None:
            error = HearthError(reader.log.lost)
            told = {"code": error.code, "message": error.message, "param": None, "retry": error.row.may_retry}
            self.reply({"t": "error", "id": lane.name, **told})
            self._ended(lane)
        else:
            lane.rest()
        return letters

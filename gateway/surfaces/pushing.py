"""Writes what is followed straight into a connection, whenever there is something and the connection has room."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.channel import Channel
from gateway.surfaces.following import Following

_SMALL: Final = 16 << 10
"""A last frame up to this is left to go with the end of the response."""


class Push:
    """One response's writes, one for each of its turns: all that its reader has by then."""

    __slots__ = ("_asked", "_channel", "_following", "_loop", "_over", "_timer", "_wrote_at")

    def __init__(self, following: Following, channel: Channel) -> None:
        self._following = following
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[bytes | None] = self._loop.create_future()
        self._asked = False
        """Whether its turn will come."""
        self._wrote_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> bytes | None:
        """Write until the connection has room for the end; what is to go with that. None when the client has left."""
        following, channel = self._following, self._channel
        channel.on_change = self._ask
        try:
            if following.head and not channel.gone:
                channel.write(following.head)
            self._rest()
            self._turn()
            return await self._over
        finally:
            channel.on_change = None
            if self._timer is not None:
                self._timer.cancel()
            following.stall.close()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._following.turns.ask(self._turn)

    def _turn(self) -> None:
        self._asked = False
        if self._over.done():
            return
        try:
            over, last = self._go_on()
        except Exception as error:  # noqa: BLE001
            # The border of the turn: the others have theirs, and this one's request is told.
            self._over.set_exception(error)
            return
        if over:
            self._over.set_result(last)

    def _go_on(self) -> tuple[bool, bytes | None]:
        """Write what there is; whether the response is over, and then the last of it, or None if nobody is there."""
        following, channel = self._following, self._channel
        if channel.gone:
            return True, None
        if channel.full:
            if following.reader.sending_since is None:
                following.reader.sending_since = self._loop.time()
            return False, None
        following.reader.sending_since = None
        frame = b"" if following.ended else following.next()
        if following.ended and len(frame) <= _SMALL:
            return True, frame
        if frame and not self._write(frame):
            return False, None
        if following.ended:
            return True, b""
        if following.has_more:
            self._ask()
        else:
            # Only now: who waits for its turn, or for room, need not be told of every append meanwhile.
            following.reader.on_more(self._ask)
        return False, None

    def _write(self, frame: bytes) -> bool:
        """Whether there is room for more. Until there is, the reader may be cut, after its last frame too."""
        self._channel.write(frame)
        self._wrote_at = self._loop.time()
        if self._channel.full:
            self._following.reader.sending_since = self._wrote_at
            return False
        return True

    def _rest(self) -> None:
        # One timer, set anew only when it rings: setting it with every frame would cost more than the frame.
        self._timer = self._loop.call_at(self._wrote_at + self._following.keep_alive_s, self._ring)

    def _ring(self) -> None:
        if self._over.done() or self._channel.gone:
            return
        following, now = self._following, self._loop.time()
        if now >= self._wrote_at + following.keep_alive_s:
            self._wrote_at = now
            if not self._channel.full:
                self._channel.write(following.idle())
                self._ask()
        self._rest()

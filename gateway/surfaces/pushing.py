"""Writes what is followed straight into a connection, whenever there is something and the connection has room."""

from __future__ import annotations

import asyncio

from gateway.channel import Channel
from gateway.surfaces.following import Following


class Push:
    """One response's writes, one for each of its turns: all that its reader has by then."""

    __slots__ = ("_asked", "_channel", "_following", "_loop", "_over", "_timer", "_wrote_at")

    def __init__(self, following: Following, channel: Channel) -> None:
        self._following = following
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[bool] = self._loop.create_future()
        self._asked = False
        """Whether its turn will come."""
        self._wrote_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> bool:
        """Write until all was written and the connection has room again; False when the client has left."""
        following, channel = self._following, self._channel
        channel.on_change = self._ask
        following.reader.listen(self._ask)
        try:
            if following.head:
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
            over = self._go_on()
        except Exception as error:  # noqa: BLE001
            # The border of the turn: the others have theirs, and this one's request is told.
            self._over.set_exception(error)
            return
        if over is not None:
            self._over.set_result(over)

    def _go_on(self) -> bool | None:
        """Write what there is; how the response ended, if it did."""
        following, channel = self._following, self._channel
        if channel.gone:
            return False
        if channel.full:
            return None
        following.reader.sending_since = None
        frame = b"" if following.ended else following.next()
        if frame and not self._write(frame):
            return None
        if following.ended:
            return True
        if following.has_more:
            self._ask()
        return None

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
        following, now = self._following, self._loop.time()
        if now >= self._wrote_at + following.keep_alive_s:
            self._wrote_at = now
            if not self._channel.full:
                self._channel.write(following.idle())
                self._ask()
        self._rest()

"""One generation on a socket: a cursor in its log, and a name for what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.log.local import Reader
from gateway.wire import watch

TURN_BYTES: Final = 16 << 10
"""About how much a lane may say before the others have their turn."""


class Lane:
    """A reader that is served in turns. `wake` is called when it has something to say after it had nothing."""

    __slots__ = ("_epoch", "_head", "_wake", "closed", "name", "reader")

    def __init__(self, name: str, reader: Reader, wake: Callable[[Lane], None]) -> None:
        self.name = name
        self.reader = reader
        self.closed = False
        self._epoch = reader.log.epoch
        self._head = watch.on(name)
        self._wake = wake

    def take(self) -> list[str]:
        """The messages of one turn; the cursor moves past them."""
        log, (start, stop, replay) = self.reader.log, watch.portion(self.reader, TURN_BYTES)
        self.reader.next = stop
        tails = log.frame(
            ("lane", replay), start, stop, lambda: watch.messages(log.between(start, stop), start, replay)
        )
        said = [self._head + tail for tail in tails]
        if log.epoch != self._epoch:
            # The log goes on under another name, and positions are written with that one from here on.
            self._epoch = log.epoch
            said.insert(0, f'{self._head}"t":"epoch","epoch":"{log.epoch}"}}')
        return said

    def attached(self) -> dict[str, Any]:
        """What the client is told when the lane opens."""
        log = self.reader.log
        return {
            "t": "attached",
            "id": self.name,
            "generation": log.generation.id,
            "epoch": log.epoch,
            "from": self.reader.next,
            "tail": log.tail,
        }

    def rest(self) -> None:
        """Wait for more, or wake at once when it is there."""
        if self.reader.pending or self.reader.log.lost is not None:
            self._wake(self)
        else:
            self.reader.log.on_next(self, self._more)

    def _more(self) -> None:
        self._wake(self)

    def close(self) -> None:
        """Say nothing more, and wait for nothing."""
        self.closed = True
        self.reader.log.forget(self)

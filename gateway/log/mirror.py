"""A log that another replica writes, as this one reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.generation import state_after
from gateway.log.local import Log
from gateway.log.records import Message


class Mirror:
    """Puts together what is heard and what is read: by offset, so that nothing is missed and nothing comes twice."""

    def __init__(self, log: Log, now: float) -> None:
        self.log = log
        self.wanted_at = now
        """When somebody last asked for it."""
        self.whole_at = now
        """When it was read from Redis."""
        self.heard_at = now
        """When its writer was last heard."""
        self.missing_since: float | None = None
        """Since when Redis knows nothing of it."""
        self.filling = False
        self.torn = False
        """Whether something may have been missed since the last look into the stream."""

    def hear(self, message: Message) -> None:
        """Take a published message; `torn` is set when the stream has to be read."""
        log = self.log
        if message.epoch != log.epoch or message.events is None or message.first > log.tail + 1:
            self.torn = True
            return
        self._extend(message)

    def read(self, epoch: str, past: Mapping[str, int], messages: Iterable[Message]) -> None:
        """Take what Redis has: its epochs, and its stream from behind our tail.

        A log that has become another one is lost.
        """
        log = self.log
        if epoch != log.epoch:
            # The writer went on under a new name, or one who knew less than we took the log.
            if log.tail > past.get(log.epoch, -1):
                log.lose("epoch_mismatch")
                return
            log.epoch, log.past = epoch, dict(past)
        for message in messages:
            self._extend(message)

    def _extend(self, message: Message) -> None:
        log = self.log
        assert message.events is not None
        new = message.events[max(0, log.tail + 1 - message.first) :]
        if new and not log.ended:
            for event in new:
                log.generation.state = state_after(log.generation.state, event)
            log.extend(new)

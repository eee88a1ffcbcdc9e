"""Everybody who follows a log here, watched for stalls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.log.base import Position, check
from gateway.log.local import Log, Reader
from gateway.metrics import Metrics


class Readers:
    """Owns the readers. One whose write stands still for `stall_s` is cut, after a tenth of it when far behind."""

    def __init__(self, stall_s: float, lag_bytes: int, metrics: Metrics) -> None:
        self._stall_s = stall_s
        self._lag_bytes = lag_bytes
        self._metrics = metrics
        self._readers: set[Reader] = set()

    def __len__(self) -> int:
        return len(self._readers)

    def __iter__(self) -> Iterator[Reader]:
        return iter(list(self._readers))

    @contextmanager
    def reading(self, log: Log, after: Position | None = None) -> Iterator[Reader]:
        """A reader of a log from after that position, closed at the end of the block.

        Raises HearthError `epoch_mismatch`, `trimmed`, `past_the_end`.
        """
        reader = self.join(log, after)
        try:
            yield reader
        finally:
            self.leave(reader)

    def join(self, log: Log, after: Position | None = None) -> Reader:
        """A reader as in `reading`, for one who calls `leave` when it is done. Raises as `reading`."""
        reader = log.read(check(log, after))
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Close a reader; harmless the second time."""
        self._readers.discard(reader)
        reader.close()

    def wake(self) -> None:
        """Have everybody look up."""
        for reader in self:
            reader.wake()

    def cut_stalled(self) -> None:
        """Cut those whose write stands still; called every second."""
        now = asyncio.get_running_loop().time()
        for reader in self:
            if reader.sending_since is None or reader.cut is None:
                continue
            waited = now - reader.sending_since
            # Being far behind alone is no fault: whoever joins a long log late is. It is while a write stands still.
            if waited > self._stall_s or (waited > self._stall_s / 10 and reader.lag > self._lag_bytes):
                self._metrics.slow_reader_cut()
                cut, reader.cut = reader.cut, None
                cut()

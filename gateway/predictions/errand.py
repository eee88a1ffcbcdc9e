"""Who tells others of a prediction: what the one who attends to it wants of them."""

from __future__ import annotations

from typing import Protocol

from gateway.log.local import Reader
from gateway.predictions.record import Record


class Errand(Protocol):
    """One prediction's webhook."""

    async def follow(self, record: Record, reader: Reader) -> None:
        """Tell of its start, its outputs and its logs, in order, until its log ends or is lost. Fails on nothing.

        Called again for the same record, with a reader from the log's beginning, after a log or a replica was lost.
        """

    async def complete(self, record: Record, reader: Reader | None) -> None:
        """Tell of its end until that is heard or given up; `record` says how it ended. Without a reader its log is
        no longer there.
        """

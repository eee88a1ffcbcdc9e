"""Which files a predictor gave that are not there: Cog tells nobody but its own log, and says `succeeded`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import PurePath
from typing import Final

import msgspec

TELLING: Final = "info,coglet::orchestrator=debug"
"""What Cog's server must log, so that each loss has its prediction."""
_TOLD_S: Final = 5.0
"""How long its log may take to come that a prediction has ended."""


class Losses:
    """Reads the log line by line. Whoever begins a prediction expects it, and forgets it at the end."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.Event] = {}
        self._lost: dict[str, str] = {}
        """By prediction: the first file that was not there, and why."""
        self._slots: dict[str, str] = {}
        """Which prediction each of the server's slots runs."""

    def expect(self, prediction: str) -> None:
        """Note what is told of that prediction from now on."""
        self._ends[prediction] = asyncio.Event()

    def forget(self, prediction: str) -> None:
        """Note nothing of it any more."""
        self._ends.pop(prediction, None)
        self._lost.pop(prediction, None)

    async def of(self, prediction: str) -> str | None:
        """Of a prediction that has succeeded: the first file that it lost, and why; None where it lost none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TOLD_S):
                await self._ends[prediction].wait()
        return self._lost.get(prediction)

    def read(self, line: str) -> None:
        """Take one line of the log."""
        try:
            told = msgspec.json.decode(line)
        except msgspec.DecodeError:
            return
        match told:
            case {"fields": {"message": "Registered prediction", "slot_id": str(slot), "prediction_id": str(id)}}:
                self._slots[slot] = id
            case {"fields": {"message": str(message), "slot_id": str(slot), "error": str(why), **more}} if (
                "FileOutput" in message or "file output" in message
            ):
                name = PurePath(str(more.get("filename", "a file"))).name
                if self._slots.get(slot) in self._ends:
                    self._lost.setdefault(self._slots[slot], f"{name}: {why}")
            case {"fields": {"message": "Prediction worker completed", "prediction_id": str(id)}} if id in self._ends:
                self._ends[id].set()

"""How an engine comes by the host that it speaks with, and how it parts from it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Protocol

from engines.base import Knobs, Report
from engines.vllm import wire
from engines.vllm.link import Link
from engines.vllm.nest import Nest

BUNDLED: Final = Path(__file__).parent.parent / "campfire" / "model"
"""The folder of the model that comes with Hearth."""

_STOP_S: Final = 10.0


class Hosting(Protocol):
    """One engine's way to a host. `call` and `part` take turns, as the engine's `start` and `stop` do."""

    pid: int | None
    """The host's process, while it runs and is nobody else's."""

    async def call(self, path: str, link: Link, report: Report) -> None:
        """Have a host connect to the socket at that path, where `link` waits for it, telling `report` each stage.

        The link is ended when the host is seen to end, however that is seen. Raises EngineError `boot_failed`.
        """

    async def part(self, link: Link) -> None:
        """Want the host no longer; harmless when it is gone. The link is ended by the caller."""

    async def close(self) -> None:
        """Let go of what was kept for a next call. Called once, at the end."""


class OwnHost:
    """A host of one's own, forked from the nursery: it ends when it is parted from.

    `source` is a local folder, a model's name on Hugging Face, or `bundled`; the knobs are options of `vllm serve`. One
    that `sleeps` is booted so that it can be put to sleep.
    """

    def __init__(self, nest: Nest, name: str, source: str, knobs: Knobs, sleeps: bool = False) -> None:
        self._nest = nest
        self._model = {
            "name": name,
            "source": str(BUNDLED) if source == "bundled" else source,
            "knobs": dict(knobs),
            "sleeps": sleeps,
        }
        self.pid: int | None = None
        nest.join()

    async def call(self, path: str, link: Link, report: Report) -> None:
        report("importing vLLM")
        await self._nest.start()
        report("starting the engine's process")
        self.pid, gone = await self._nest.bear({"path": path, **self._model})
        gone.add_done_callback(lambda ended: link.end(_obituary(ended.result())))

    async def part(self, link: Link) -> None:
        try:
            await self._bury(link)
        finally:
            await self._nest.rest()

    async def _bury(self, link: Link) -> None:
        link.say(wire.Stop())
        pid, self.pid = self.pid, None
        if pid is None:
            return
        if not link.ready.done():
            # It loads a model, and would hear of the end only afterwards.
            self._nest.kill(pid)
        try:
            await asyncio.wait_for(self._nest.gone(pid), _STOP_S)
        except TimeoutError:
            self._nest.kill(pid)
            await asyncio.wait_for(self._nest.gone(pid), _STOP_S)

    async def close(self) -> None:
        await self._nest.leave()


def _obituary(status: int) -> str:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"The engine's process {how}."

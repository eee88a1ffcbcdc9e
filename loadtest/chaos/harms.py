"""Breaks things, one after another, and mends each before the next."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from loadtest.chaos.plan import Harm
from loadtest.chaos.replicas import Replica, Store


class Harms:
    """Does what a plan says; nothing is left broken."""

    def __init__(self, replicas: Sequence[Replica], store: Store) -> None:
        self._replicas = replicas
        self._store = store
        self.done: Counter[str] = Counter()
        self.diary: list[str] = []
        """Each harm, with the seconds (unix) from its beginning to its end."""

    async def run(self, harms: Iterable[Harm], seconds: float, least: int) -> None:
        """One after another for so long, and so many of them at least. Raises ServerError when one is not mended."""
        until = time.monotonic() + seconds
        for number, harm in enumerate(harms):
            left = until - time.monotonic()
            if number >= least and left < harm.pause:
                await asyncio.sleep(max(0.0, left))
                return
            await asyncio.sleep(harm.pause)
            began = time.time()
            await self._do(harm)
            self.diary.append(f"{began:.2f} to {time.time():.2f}: {harm.deed} {harm.replica}")
            self.done[harm.deed] += 1

    async def _do(self, harm: Harm) -> None:
        replica = self._replicas[harm.replica]
        match harm.deed:
            case "kill":
                await self._kill(replica, harm.lasting)
            case "freeze":
                await self._freeze(replica, harm.lasting)
            case "roll":
                for each in self._replicas:
                    await self._roll(each)
            case "pubsub" | "links":
                self._store.cut("pubsub" if harm.deed == "pubsub" else "normal")
            case "pause":
                self._store.signal(signal.SIGSTOP)
                await asyncio.sleep(harm.lasting)
                self._store.signal(signal.SIGCONT)
            case "restart" | "forget":
                await self._restart(harm.lasting, forget=harm.deed == "forget")

    async def _kill(self, replica: Replica, lasting: float) -> None:
        replica.trouble()
        replica.signal(signal.SIGKILL)
        await replica.gone()
        await asyncio.sleep(lasting)
        replica.start()
        await replica.up()
        replica.recovered()

    async def _freeze(self, replica: Replica, lasting: float) -> None:
        replica.trouble()
        replica.signal(signal.SIGSTOP)
        await asyncio.sleep(lasting)
        replica.signal(signal.SIGCONT)
        await replica.up()
        replica.recovered()

    async def _roll(self, replica: Replica) -> None:
        replica.trouble()
        replica.signal(signal.SIGTERM)
        await replica.gone()
        replica.start()
        await replica.up()
        replica.recovered()

    async def _restart(self, lasting: float, forget: bool) -> None:
        self._store.signal(signal.SIGKILL)
        await self._store.gone()
        if forget:
            self._store.forget()
        await asyncio.sleep(lasting)
        self._store.start()
        await self._store.up()

"""A crowd on one key with a small budget, while somebody looks into the books all the time."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Final

from loadtest.budget.books import Verdict
from loadtest.budget.calls import Refused, call, stream
from loadtest.budget.plan import MODEL, PER_TOKEN, Plan, Scene, settings
from loadtest.chaos.replicas import Replica, Store
from loadtest.servers import ServerError
from loadtest.spent import spent

_LOOK_S: Final = 0.05
_FREE_S: Final = 90.0
"""How long what is reserved may take to be free again after the last stream."""
_PAUSE_S: Final = 0.2
"""How long a caller waits before it asks again."""


def run(plan: Plan, scene: Scene, folder: Path, say: Callable[[str], None]) -> Verdict:
    """Carry out one scene; the processes' logs are left in `folder`. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_Run(plan, scene, folder, say).carry_out())


class _Run:
    def __init__(self, plan: Plan, scene: Scene, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._scene = scene
        self._folder = folder
        self._say = say
        self._admin = secrets.token_hex(16)
        self._verdict = Verdict(scene.name)
        self._over = asyncio.Event()
        self._replicas: list[Replica] = []

    async def carry_out(self) -> Verdict:
        with ExitStack() as stack:
            store = stack.enter_context(closing(Store(self._folder))) if self._scene.redis else None
            if store is not None:
                store.start()
                await store.up()
            options = self._options(store)
            for number in range(self._scene.replicas):
                replica = Replica(f"replica-{number}", self._folder, options, "/readyz")
                self._replicas.append(stack.enter_context(closing(replica)))
                replica.start()
            await asyncio.gather(*(replica.up() for replica in self._replicas))
            await self._crowd(await self._key(), store)
        self._verdict.broken += [f"{each.name}: {crash}" for each in self._replicas for crash in each.crashes()]
        self._verdict.close()
        return self._verdict

    def _options(self, store: Store | None) -> list[str]:
        config = self._folder / "hearth.toml"
        config.write_text(settings(self._admin), encoding="utf-8")
        options = ["--config", str(config), "--model", f"{MODEL}={self._plan.source}", "--drain-s", "1"]
        state = ["--state-file", str(self._folder / "hearth.db")]
        return [*options, *state] if store is None else [*options, *state, "--redis-url", store.url]

    async def _key(self) -> str:
        """A new key with the budget. Raises ServerError."""
        wanted = {"name": "crowd", "budget": {"amount": self._plan.budget, "period": "total"}}
        try:
            made = await call(self._replicas[0].port, "POST", "/admin/keys", self._admin, wanted)
        except Refused as refused:
            raise ServerError(f"no key was made: {refused}; see {self._replicas[0].log}") from None
        return str(made["secret"])

    async def _crowd(self, secret: str, store: Store | None) -> None:
        self._say(f"{self._scene.name}: {self._plan.streams} streams for {self._plan.seconds:g} s")
        finished = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(finished))
            async with asyncio.TaskGroup() as streams:
                for place in range(self._plan.streams):
                    streams.create_task(self._keep_asking(place, secret))
                await self._harm(store)
            await self._wait_until_free()
            finished.set()
        await self._read_usage()

    async def _harm(self, store: Store | None) -> None:
        """Let the time pass; in its middle, break what is to be broken."""
        await asyncio.sleep(self._plan.seconds / 2)
        if store is not None and self._scene.harm:
            before = self._verdict.spent
            store.signal(signal.SIGKILL)
            await store.gone()
            await asyncio.sleep(self._plan.away_s)
            store.start()
            await store.up()
            self._verdict.diary.append(f"Redis killed at {before} spent, back after {self._plan.away_s:g} s")
        await asyncio.sleep(self._plan.seconds / 2)
        self._over.set()

    async def _keep_asking(self, place: int, secret: str) -> None:
        """One stream after another, each at any of the replicas."""
        number = 0
        while not self._over.is_set():
            ask, chance = self._plan.ask(place, number), self._plan.chance("where", place, number)
            end = await stream(chance.choice(self._replicas).port, secret, ask)
            self._verdict.ends[end] += 1
            if end == "whole":
                self._verdict.had += ask.max_tokens * PER_TOKEN
            elif end != "canceled":
                await asyncio.sleep(chance.uniform(0, 2 * _PAUSE_S))
            number += 1

    async def _watch(self, finished: asyncio.Event) -> None:
        """Look into the books, through any of the replicas."""
        chance = self._plan.chance("watch")
        while not finished.is_set():
            await self._look(chance.choice(self._replicas))
            await asyncio.sleep(_LOOK_S)

    async def _look(self, replica: Replica) -> None:
        try:
            told = await call(replica.port, "GET", "/admin/budgets", self._admin)
        except Refused as refused:
            self._verdict.unseen[str(refused)] += 1
            return
        [key] = told["data"]
        self._verdict.look(key)

    async def _wait_until_free(self) -> None:
        """Until nothing is reserved, or for as long as that may take."""
        began = time.monotonic()
        while time.monotonic() - began < _FREE_S:
            looks = self._verdict.looks
            await asyncio.sleep(2 * _LOOK_S)
            if self._verdict.looks > looks and not self._verdict.reserved:
                self._verdict.freed_s = time.monotonic() - began
                return

    async def _read_usage(self) -> None:
        try:
            told = await call(self._replicas[0].port, "GET", "/admin/usage?by=key", self._admin)
        except Refused as refused:
            raise ServerError(f"no usage: {refused}; see {self._replicas[0].log}") from None
        verdict, lines = self._verdict, told["data"]
        verdict.used = sum((Decimal(line["cost"]) for line in lines), Decimal(0))
        verdict.unpaid = sum((Decimal(line["unpaid"]) for line in lines), Decimal(0))
        verdict.booked = sum(line["completion_tokens"] for line in lines)
        counted = [await asyncio.to_thread(spent, f"http://127.0.0.1:{each.port}") for each in self._replicas]
        verdict.generated = round(sum(each.output_tokens for each in counted))


def run_all(plan: Plan, scenes: Sequence[Scene], folder: Path, say: Callable[[str], None]) -> list[Verdict]:
    """One scene after the other, each with processes of its own. Raises ServerError."""
    return [run(plan, scene, folder / scene.name, say) for scene in scenes]

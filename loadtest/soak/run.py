"""A crowd that comes and goes for an hour, while the server's memory, tasks and sockets are watched."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from redis import Redis

from loadtest.chaos.connection import Lost, Silent
from loadtest.chaos.readers import READERS, Native, Plain
from loadtest.chaos.replicas import Process, free_port
from loadtest.chaos.story import Gone, Violation, judge
from loadtest.chaos.tally import Tally
from loadtest.redis import redis_server
from loadtest.soak.plan import Plan, Scene, settings
from loadtest.soak.probe import Probe, Sample
from loadtest.soak.verdict import Verdict
from loadtest.soak.visits import Door, Watched, cancel, predict, watch

_KEYS: Final = 4
_BEGIN_S: Final = 10.0
"""Not all come at once."""
_PAUSE_S: Final = 1.0
"""At most so long a place is empty between two visits."""


def soak(plan: Plan, scene: Scene, folder: Path, say: Callable[[str], None]) -> Verdict:
    """Carry out one scene; the processes' logs are left in `folder`. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_Soak(plan, scene, folder, say).carry_out())


class _Soak:
    def __init__(self, plan: Plan, scene: Scene, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._scene = scene
        self._tally = Tally()
        self._over = asyncio.Event()
        self._secrets: Sequence[str] = ()

    async def carry_out(self) -> Verdict:
        admin = secrets.token_hex(16)
        with ExitStack() as stack:
            redis = self._redis(stack)
            server = stack.enter_context(closing(self._server(admin, redis)))
            server.start()
            await server.ready("/readyz")
            door = Door(server.port, self._plan.patience_s)
            self._secrets = [await _key(door, admin, number) for number in range(_KEYS)]
            probe = Probe(server.pid, server.port, self._heap, redis)
            verdict = Verdict(self._scene, self._tally.begin(self._scene.name), await asyncio.to_thread(probe.look))
            await self._load(server, door, probe, verdict)
            # What is kept for a while is let go of, and nobody is there any more.
            await asyncio.sleep(self._plan.settle_s)
            verdict.after = await asyncio.to_thread(probe.look)
            verdict.kinds = probe.kinds
            for crash in server.crashes():
                self._tally.broke("server", f"traceback: {crash}")
        verdict.violations = self._tally.violations
        return verdict

    def _redis(self, stack: ExitStack) -> Redis | None:
        if not self._scene.redis:
            return None
        port = free_port()
        stack.enter_context(redis_server(port, self._folder))
        client: Redis = stack.enter_context(Redis(port=port, socket_timeout=10))
        return client

    @property
    def _heap(self) -> Path:
        return self._folder / f"{self._scene.name}-heap.json"

    def _server(self, admin: str, redis: Redis | None) -> Process:
        config, port = self._folder / f"{self._scene.name}.toml", free_port()
        config.write_text(settings(admin), encoding="utf-8")
        words = ["serve", "--port", str(port), "--config", str(config), "--drain-s", "1"]
        words += ["--state-file", str(self._folder / f"{self._scene.name}.db")]
        for name, source in self._plan.sources().items():
            words += ["--model", f"{name}={source}"]
        if redis is not None:
            words += ["--redis-url", f"redis://127.0.0.1:{redis.connection_pool.connection_kwargs['port']}"]
        inside = [sys.executable, "-m", "loadtest.soak.inside", str(self._heap), "gateway"]
        return Process(self._scene.name, [*inside, *words], self._folder / f"{self._scene.name}.log", port)

    async def _load(self, server: Process, door: Door, probe: Probe, verdict: Verdict) -> None:
        watched = Watched(door)
        async with asyncio.TaskGroup() as group:
            for place in range(self._plan.streams):
                group.create_task(self._keep_visiting(place, server, door, watched))
            until = asyncio.get_running_loop().time() + self._plan.seconds
            while asyncio.get_running_loop().time() < until:
                await asyncio.sleep(self._plan.sampled_s)
                verdict.samples.append(await asyncio.to_thread(probe.look))
                self._say(_line(verdict.samples[-1]))
            self._over.set()

    async def _keep_visiting(self, place: int, server: Process, door: Door, watched: Watched) -> None:
        await asyncio.sleep(self._plan.chance("begin", place).uniform(0, min(_BEGIN_S, self._plan.seconds / 4)))
        number = 0
        while not self._over.is_set():
            number += 1
            await self._visit(place, number, server, door, watched)
            await asyncio.sleep(self._plan.chance("pause", place, number).uniform(0, _PAUSE_S))

    async def _visit(self, place: int, number: int, server: Process, door: Door, watched: Watched) -> None:
        """One visit and its verdict."""
        plan, chance, part = self._plan, self._plan.chance(place, number), self._tally.now
        kind = plan.kind(chance)
        ask = plan.ask(kind, place, number, chance.choice(self._secrets), chance)
        stay_s = plan.stay(chance)
        parts = (plan, ask, [server], self._tally, chance)
        try:
            async with asyncio.timeout(plan.deadline_s):
                match kind:
                    case "left":
                        await door.leave(ask, stay_s)
                    case "canceled":
                        chosen = chance.choice(("native", "socket"))
                        await cancel(door, READERS[chosen](*parts), ask, stay_s)
                    case "idle":
                        await watch(Native(*parts), await watched.id(ask), stay_s)
                    case "idle socket":
                        await door.wait(ask.headers, stay_s)
                    case "prediction":
                        await predict(door, ask, stay_s, stops=chance.random() < 0.3)
                    case _:
                        reader = READERS["json" if kind == "hit" else kind](*parts)
                        await reader.read()
                        if (isinstance(reader, Plain) and reader.told) or reader.story.ended != "finished":
                            raise Violation(f"failed: {getattr(reader, 'told', None)} {reader.story.ended}")
                        judge(reader.story, ask.truth)
            part.whole[kind] += 1
        except Gone as gone:
            # Whoever comes to watch may find that the last watcher left too long ago.
            if kind == "idle":
                part.told[f"{kind} {gone}"] += 1
            else:
                self._tally.broke(kind, f"gone: {gone}")
        except TimeoutError:
            self._tally.broke(kind, f"hanging: for {plan.deadline_s:.0f} s")
        except (Lost, Silent, Violation) as error:
            self._tally.broke(kind, f"{type(error).__name__.lower()}: {error}")


async def _key(door: Door, admin: str, number: int) -> str:
    """A new key with a budget that is never spent; its secret."""
    body = {"name": f"soak {number}", "budget": {"amount": 1_000_000, "period": "month"}}
    return str((await door.call("POST", "/admin/keys", {"authorization": f"Bearer {admin}"}, body))["secret"])


def _line(sample: Sample) -> str:
    return (
        f"{sample.seconds:6.0f} s: {sample.rss_mb:.1f} MB, {sample.objects:.0f} objects, {sample.tasks:.0f} tasks,"
        f" {sample.sockets:.0f} sockets, {sample.running:.0f} running, {sample.readers:.0f} readers,"
        f" {sample.redis_keys:.0f} keys, {sample.runs:.0f} runs"
    )

"""The run: replicas and a Redis, readers in all places, harm until the time is over, and the verdict."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.chaos.connection import connected
from loadtest.chaos.harms import Harms
from loadtest.chaos.plan import KINDS, REPLICAS, Ask, Phase, Plan
from loadtest.chaos.readers import READERS, Native, Reader
from loadtest.chaos.replicas import Process, Replica, Store
from loadtest.chaos.story import Gone, Violation, judge
from loadtest.chaos.tally import AGAIN, OTHERS, RESUMABLE, Tally
from loadtest.chaos.wire import Response, request
from loadtest.servers import ServerError

MODEL: Final = "campfire"
_AGAIN: Final = 0.2
"""The share of resumable streams that are read once more from the beginning."""
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Stage:
    """What answers: the engine's source under harm, undisturbed, and when a replica is ready."""

    source: str
    calm: str
    ready: str


def scripted(token_ms: int) -> Stage:
    """Words that are the same each time, one each `token_ms`."""
    # Nothing but `max_tokens` ends an answer.
    return Stage(f"scripted:?token_ms={token_ms}&tokens=100000", "scripted:?tokens=100000", "/healthz")


VLLM: Final = Stage("vllm:bundled", "vllm:bundled", "/readyz")


def run(plan: Plan, stage: Stage, folder: Path, say: Callable[[str], None]) -> Tally:
    """Carry out a plan; its processes' logs are left in `folder`. Raises ServerError when it cannot be carried out."""
    folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_Run(plan, stage, folder, say).carry_out())


class _Run:
    def __init__(self, plan: Plan, stage: Stage, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._stage = stage
        self._folder = folder
        self._say = say
        self._asks = [plan.ask(MODEL, place) for place in range(plan.streams)]
        self._truths: list[str] = []
        self._rounds = [0] * plan.streams
        self._tally = Tally()

    async def carry_out(self) -> Tally:
        self._truths = await self._learn()
        self._say(f"{len(self._truths)} answers are known, {sum(map(len, self._truths))} letters in all")
        with ExitStack() as stack:
            store = stack.enter_context(closing(Store(self._folder)))
            store.start()
            await store.up()
            replicas = [stack.enter_context(closing(self._replica(number, store))) for number in range(REPLICAS)]
            for replica in replicas:
                replica.start()
            await asyncio.gather(*(replica.up() for replica in replicas))
            for phase in self._plan.phases:
                await self._phase(phase, replicas, store)
                self._say(self._tally.text())
            self._look_at_logs(replicas)
        return self._tally

    def _replica(self, number: int, store: Store) -> Replica:
        options = ["--model", f"{MODEL}={self._stage.source}", "--redis-url", store.url, "--drain-s", "1"]
        lease = ["--lease-s", str(self._plan.lease_s)]
        return Replica(f"replica-{number}", self._folder, [*options, *lease], self._stage.ready)

    async def _learn(self) -> list[str]:
        """The truth: what each prompt is answered with when nothing happens."""
        calm = Replica("calm", self._folder, ["--model", f"{MODEL}={self._stage.calm}"], "/readyz")
        with closing(calm):
            calm.start()
            await calm.up()
            turns = asyncio.Semaphore(_AT_ONCE)

            async def one(ask: Ask) -> str:
                async with turns, connected(calm.port, None, self._plan.deadline_s) as connection:
                    response = Response()
                    connection.send(request("POST", "/v1/chat/completions", {}, ask.packed(False)))
                    while not response.ended:
                        response.feed(await connection.receive())
                    if response.status != 200:
                        raise ServerError(f"the undisturbed replica said {response.body[:300]!r}; see {calm.log}")
                    return str(response.json()["choices"][0]["message"]["content"])

            return await asyncio.gather(*map(one, self._asks))

    async def _phase(self, phase: Phase, replicas: Sequence[Replica], store: Store) -> None:
        part, over, began = self._tally.begin(phase.name), asyncio.Event(), time.monotonic()
        harms, failure = Harms(replicas, store), None
        self._say(f"phase {phase.name}: {phase.seconds:.0f} s of {', '.join(phase.deeds)}")
        async with asyncio.TaskGroup() as group:
            for place in range(self._plan.streams):
                group.create_task(self._keep_reading(place, phase, replicas, over))
            try:
                told = phase.harms(self._plan.seed, self._plan.lease_s)
                await harms.run(told, phase.seconds, least=len(phase.deeds))
            except ServerError as error:
                failure = error
            over.set()
        part.harms, part.diary, part.seconds = harms.done, harms.diary, time.monotonic() - began
        if failure is not None:
            raise failure

    async def _keep_reading(self, place: int, phase: Phase, replicas: Sequence[Replica], over: asyncio.Event) -> None:
        """One stream after another, until the phase is over."""
        # Not all begin at once, nor in step.
        await asyncio.sleep(self._plan.chance("begin", place).uniform(0, 2))
        while not over.is_set():
            number = self._rounds[place]
            self._rounds[place] += 1
            chance = self._plan.chance(place, number)
            kind = chance.choice(KINDS)
            reader = READERS[kind](self._plan, self._asks[place], replicas, self._tally, chance)
            told = await self._one(reader, kind, self._truths[place], phase, reader.read)
            if told is None and kind in RESUMABLE and chance.random() < _AGAIN:
                again = Native(self._plan, self._asks[place], replicas, self._tally, chance, cuts=False)
                again.id = reader.id
                await self._one(again, AGAIN, self._truths[place], phase, again.watch)

    async def _one(
        self, reader: Reader, kind: str, truth: str, phase: Phase, read: Callable[[], Awaitable[None]]
    ) -> str | None:
        """One stream and its verdict: what was told instead of the whole text, None when it was whole."""
        part, began, since = self._tally.now, time.monotonic(), time.time()
        try:
            async with asyncio.timeout(self._plan.deadline_s):
                await read()
            told = self._verdict(reader, kind, truth)
        except (TimeoutError, Gone, Violation) as error:
            told = str(error)
            if isinstance(error, TimeoutError):
                told = f"hanging: for {self._plan.deadline_s:.0f} s, after {reader.story.position}"
            if not (isinstance(error, Gone) and phase.forgets):
                times = f"{since:.2f} to {time.time():.2f}"
                self._tally.broke(kind, told, generation=reader.id, seconds=times)
                return told
        if told is None:
            part.whole[kind] += 1
            if kind != AGAIN:
                part.totals.append(time.monotonic() - began)
        else:
            part.told[f"{kind} {told}"] += 1
        part.met["renewed epoch"] += reader.story.renewals
        return told

    def _verdict(self, reader: Reader, kind: str, truth: str) -> str | None:
        story = reader.story
        told: str | None = getattr(reader, "told", None) or (None if story.ended == "finished" else story.ended)
        if told is None:
            judge(story, truth)
        elif kind not in OTHERS:
            raise Violation(f"failed: ended with {told} after {story.position}")
        elif not truth.startswith(story.text):
            raise Violation(f"different: {story.text[-40:]!r} is no part of what should have been said")
        return told

    def _look_at_logs(self, processes: Sequence[Process]) -> None:
        """A replica that met what it was not made for says so in its log."""
        for process in processes:
            for crash in process.crashes():
                self._tally.broke(process.name, f"traceback: {crash}")


def write(tally: Tally, plan: Plan, folder: Path) -> None:
    """Leave the verdict in the folder, for machines."""
    told = {"seed": plan.seed, "streams": plan.streams, **tally.as_json()}
    (folder / "chaos.json").write_text(json.dumps(told, indent=1), encoding="utf-8")

"""Stopping streams at random, and then all that are left at once, while the engine's log is followed."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import uvloop

from loadtest import processes
from loadtest.address import Address
from loadtest.cancel.results import AT_ONCE, RANDOM, Act, Plan, Results
from loadtest.cancel.streams import WAYS, Stream
from loadtest.cancel.witness import Witness
from loadtest.recipes import relay, upstream, vllm
from loadtest.servers import ENGINE, MODEL, Server, running
from loadtest.spent import metrics, sums

_BEGIN_S: Final = 120.0
_LATE_S: Final = 5.0
"""What was not aborted so long after the last act goes on."""
_LOOK_S: Final = 0.005
_RUNNING: Final = ("hearth_running_generations", "vllm:num_requests_running", "vllm:num_requests_waiting")
_AT_ONCE: Final = 16
"""Streams that are being begun at a time."""


class Stage(NamedTuple):
    """Hearth, and the log in which its engine says what it aborts."""

    server: Server
    log: Path


def cancel(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start all, stop streams, end all. Raises ServerError, OSError."""
    with _stage(plan, folder) as stage:
        return uvloop.run(_Run(plan, stage, say).carry_out())


@contextmanager
def _stage(plan: Plan, folder: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        if plan.model is None:
            behind = stack.enter_context(running(upstream("upstream", plan.token_ms, plan.token_ms), folder))
            yield Stage(stack.enter_context(running(relay("hearth", behind.url), folder)), folder / "upstream.log")
        else:
            recipe = vllm("hearth", plan.model, f"{ENGINE}&enable_log_requests=true", loud=True)
            yield Stage(stack.enter_context(running(recipe, folder)), folder / "hearth.log")


class _Run:
    def __init__(self, plan: Plan, stage: Stage, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._stage = stage
        self._say = say
        self._address = Address.of(stage.server.url)
        self._witness = Witness(stage.log)
        self._chance = random.Random(f"ways {plan.seed}")
        self._places: list[Stream | None] = [None] * plan.streams
        self._beginning = asyncio.Semaphore(_AT_ONCE)
        self._full = asyncio.Event()
        """Set when all places have a stream that speaks."""
        self._begun = self._ended = 0
        self._over = asyncio.Event()
        self._stopped: list[tuple[str, Stream]] = []
        self._failures: list[str] = []

    async def carry_out(self) -> Results:
        async with asyncio.timeout(_BEGIN_S + self._plan.seconds + 4 * _LATE_S), asyncio.TaskGroup() as group:
            watching = group.create_task(self._witness.watch())
            async with asyncio.TaskGroup() as places:
                self._say("beginning the streams")
                for place in range(self._plan.streams):
                    places.create_task(self._keep_speaking(place))
                await self._fill()
                self._say(f"stopping them at random for {self._plan.seconds:g} s")
                shares = await self._stop_at_random(places)
                await self._fill()
                self._over.set()
                self._say("stopping all that are left")
                empty_s = await self._stop_all()
                finished = await asyncio.to_thread(self._finished)
            watching.cancel()
        acts = [
            Act(manner, stream.way, _seconds(stream, self._witness.seen))
            for manner, stream in self._stopped
            if stream.id not in finished
        ]
        self._ended += len(finished)
        return Results(self._plan, acts, self._ended, self._failures, empty_s, *shares)

    async def _fill(self) -> None:
        """Until a stream speaks at every place, or one was refused."""
        self._full.clear()
        if not self._failures and not all(self._places):
            await self._full.wait()

    async def _keep_speaking(self, place: int) -> None:
        """One stream after another."""
        while not self._over.is_set() and not self._failures:
            self._begun += 1
            stream = self._chance.choice(WAYS)()
            try:
                async with self._beginning:
                    await stream.begin(self._address, self._asked(self._begun))
                self._places[place] = stream
                if all(self._places):
                    self._full.set()
                if self._over.is_set():
                    # It was being begun while the others were stopped.
                    await self._stop(stream, AT_ONCE)
                await stream.over.wait()
                if stream.acted is None:
                    stream.close()
                    if not stream.told.is_set():
                        raise ConnectionResetError("its connection was lost")
                    self._ended += 1
            except OSError as error:
                stream.close()
                self._failures.append(f"{stream.way}: {error}")
                self._full.set()
            finally:
                self._places[place] = None

    def _asked(self, number: int) -> dict[str, Any]:
        asked = {"model": MODEL, "messages": [{"role": "user", "content": f"{self._plan.seed} {number}"}]}
        # On vLLM an answer is as long as the model's context allows.
        return asked | ({"ignore_eos": True} if self._plan.model else {"max_tokens": self._plan.tokens})

    async def _stop_at_random(self, stops: asyncio.TaskGroup) -> tuple[float, float]:
        """The shares of a core that Hearth and the load generator used meanwhile."""
        before, own, begun = processes.look(self._stage.server.pid), time.process_time(), perf_counter()
        for stop in self._plan.stops():
            await asyncio.sleep(begun + stop.at - perf_counter())
            # A place whose stream has ended, and whose next one does not speak yet, loses its turn.
            if stream := self._places[stop.place]:
                stops.create_task(self._stop(stream, RANDOM))
        took, own = perf_counter() - begun, time.process_time() - own
        used = processes.used(before, processes.look(self._stage.server.pid))
        return sum(each.cpu_seconds for each in used) / took, own / took

    async def _stop_all(self) -> float | None:
        """In how many seconds from the first act on the engine was seen to count nothing; None if it was not."""
        begun, empty_s = perf_counter(), None
        async with asyncio.TaskGroup() as stops:
            for stream in filter(None, self._places):
                stops.create_task(self._stop(stream, AT_ONCE))
        while perf_counter() - begun < _LATE_S and (empty_s is None or self._unseen()):
            if empty_s is None and not _counts(await asyncio.to_thread(metrics, self._stage.server.url)):
                empty_s = perf_counter() - begun
            await asyncio.sleep(_LOOK_S)
        return empty_s

    def _unseen(self) -> bool:
        return any(stream.id not in self._witness.seen for _, stream in self._stopped)

    def _finished(self) -> set[str]:
        """Those whose engine was not seen to abort because their answer was whole before it heard of it; it blocks."""
        missed = [stream.id for _, stream in self._stopped if stream.id not in self._witness.seen]
        return {id for id in missed if _state(self._address, id) == "finished"}

    async def _stop(self, stream: Stream, manner: str) -> None:
        if stream.over.is_set():
            return
        self._stopped.append((manner, stream))
        try:
            async with asyncio.timeout(_LATE_S):
                await stream.stop()
        except (OSError, TimeoutError) as error:
            self._failures.append(f"{stream.way}: {type(error).__name__} {error}")
        finally:
            stream.close()


def _seconds(stream: Stream, seen: Mapping[str, float]) -> float | None:
    """From the act until the abort was seen."""
    at = seen.get(stream.id)
    return None if at is None or stream.acted is None else at - stream.acted


def _state(address: Address, id: str) -> str:
    """What the server says of a generation; empty where it knows none."""
    connection = http.client.HTTPConnection(*address, timeout=_LATE_S)
    try:
        connection.request("GET", f"/v1/streams/{id}", headers={"accept": "application/json"})
        return str(json.loads(connection.getresponse().read()).get("state", ""))
    finally:
        connection.close()


def _counts(told: str) -> float:
    """How many generations Hearth and its engine count that have not ended."""
    found = sums(told)
    return sum(found[name] for name in _RUNNING)

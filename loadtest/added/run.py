"""First tokens through Hearth as a relay, and straight from the server behind it: both sides at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.parse import parse_qsl

import uvloop

from loadtest import processes
from loadtest.added.results import DIRECT, RELAY, Plan, Results, Side, Turn
from loadtest.address import Address
from loadtest.exchange import Exchange
from loadtest.peers.recipes import Stage, vllm
from loadtest.recipes import relay, upstream
from loadtest.servers import ENGINE, Server, running
from loadtest.steady import StreamedAnswer, chat

_GRACE_S: Final = 60.0


def added(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start both, take turns with one stream and with many, end both. Raises ServerError."""
    results = Results({1: [], plan.streams: []})
    with _stage(plan, folder) as stage:
        for number in range(plan.rounds + 1):
            say(f"round {number} of {plan.rounds}" if number else "warming up")
            for streams, turns in results.turns.items():
                turn = _turn(plan, stage, streams, number)
                if number:
                    turns.append(turn)
    return results


@contextmanager
def _stage(plan: Plan, folder: Path) -> Iterator[dict[str, Server]]:
    behind = upstream(DIRECT, plan.prefill_ms, plan.token_ms)
    if plan.vllm is not None:
        behind = replace(vllm(Stage(plan.vllm, dict(parse_qsl(ENGINE)), folder)), name=DIRECT)
    with ExitStack() as stack:
        direct = stack.enter_context(running(behind, folder))
        yield {DIRECT: direct, RELAY: stack.enter_context(running(relay(RELAY, direct.url), folder))}


def _turn(plan: Plan, stage: dict[str, Server], streams: int, number: int) -> Turn:
    pid = stage[RELAY].pid
    crowd = _Crowd(plan, {name: Address.of(server.url) for name, server in stage.items()}, number)
    before, own, begun = processes.look(pid), time.process_time(), perf_counter()
    uvloop.run(crowd.one_by_one() if streams == 1 else crowd.at_once())
    took, own = perf_counter() - begun, time.process_time() - own
    used = sum(each.cpu_seconds for each in processes.used(before, processes.look(pid)))
    return Turn.of(streams, crowd.sides, used / max(1, crowd.relayed) * 1e6, own / took)


class _Crowd:
    def __init__(self, plan: Plan, addresses: dict[str, Address], number: int) -> None:
        self._plan = plan
        self._addresses = addresses
        self._chance = random.Random(f"{number}/{plan.streams}")
        self._number = number
        self._asked = 0
        self._firsts: dict[str, list[float]] = {name: [] for name in addresses}
        self._wrong = dict.fromkeys(addresses, 0)
        self.relayed = 0
        """Tokens that came through the relay."""

    @property
    def sides(self) -> dict[str, Side]:
        """What each side gave."""
        return {name: Side(self._firsts[name], self._wrong[name]) for name in self._addresses}

    async def one_by_one(self) -> None:
        """One request at a time: a side, then the other, which goes first the next time."""
        exchanges = {name: await Exchange.open(address) for name, address in self._addresses.items()}
        names = list(exchanges)
        async with asyncio.timeout(self._plan.requests * 2 * (self._plan.answer_s * 2 + 1) + _GRACE_S):
            for _ in range(self._plan.requests):
                for name in names:
                    await self._ask(name, exchanges[name])
                names.reverse()
        for exchange in exchanges.values():
            exchange.close()

    async def at_once(self) -> None:
        """So many streams on each side, for so long; what began in the first answers' time counts for nothing."""
        begin = perf_counter() + self._plan.answer_s
        async with asyncio.timeout(self._plan.seconds + self._plan.answer_s + _GRACE_S), asyncio.TaskGroup() as group:
            for name in list(self._addresses) * self._plan.streams:
                group.create_task(self._keep_asking(name, begin, self._chance.uniform(0, self._plan.answer_s)))

    async def _keep_asking(self, name: str, begin: float, after_s: float) -> None:
        await asyncio.sleep(after_s)
        exchange = await Exchange.open(self._addresses[name])
        while (now := perf_counter()) < begin + self._plan.seconds:
            await self._ask(name, exchange, counted=now > begin)
        exchange.close()

    async def _ask(self, name: str, exchange: Exchange, counted: bool = True) -> None:
        self._asked += 1
        tokens = self._plan.length(self._chance)
        answer = StreamedAnswer(lambda events: None)
        prompt, whole = f"{self._number} {self._asked}", self._plan.vllm is not None
        await exchange.ask(chat(self._addresses[name], prompt, tokens, ignore_eos=whole), answer)
        self._wrong[name] += answer.tokens != tokens
        self.relayed += answer.tokens if name == RELAY else 0
        if counted and answer.text is not None:
            self._firsts[name].append(answer.text)

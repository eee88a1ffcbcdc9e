"""A server whose logs are in its memory beside one whose logs are in Redis, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from redis import Redis

from loadtest.address import Address
from loadtest.monitor import Sent, monitor
from loadtest.recipes import HOST
from loadtest.redis import Traffic, redis_server
from loadtest.rounds import Rounds
from loadtest.servers import Server, free_port, running
from loadtest.steady import steady
from loadtest.stores.results import MEMORY, REDIS, Plan, Results, Turn


class Stage(NamedTuple):
    """What runs."""

    servers: dict[str, Server]
    redis: Redis
    redis_port: int
    redis_pid: int


def stores(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start all, take turns, end all. Raises ServerError."""
    with _stage(plan, folder) as stage:
        rounds: Rounds[Turn] = Rounds([MEMORY, REDIS])
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for name in rounds.names:
                rounds.note(name, _turn(plan, stage, name, number))
        say("what Redis is sent")
        return Results(plan, rounds, _monitored(plan, stage))


@contextmanager
def _stage(plan: Plan, folder: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        port = free_port()
        pid = stack.enter_context(redis_server(port, folder))
        client = stack.enter_context(Redis(port=port, socket_timeout=10))
        options: dict[str, tuple[str, ...]] = {MEMORY: (), REDIS: ("--redis-url", f"redis://{HOST}:{port}")}
        servers = {
            name: stack.enter_context(running(plan.recipe(name, given), folder)) for name, given in options.items()
        }
        yield Stage(servers, client, port, pid)


def _turn(plan: Plan, stage: Stage, name: str, number: int) -> Turn:
    server = stage.servers[name]
    address, pids = Address.of(server.url), {"server": server.pid, "redis": stage.redis_pid}
    before = Traffic.of(stage.redis)
    streams = steady(address, plan.questions(address, number), plan.streams, plan.warm_s, plan.seconds, pids)
    return Turn(streams, Traffic.of(stage.redis).less(before))


def _monitored(plan: Plan, stage: Stage) -> Sent:
    """What Redis is sent while the streams run, in a turn that counts for nothing else."""
    with ThreadPoolExecutor(1) as aside:
        watching = aside.submit(monitor, stage.redis_port, plan.warm_s, plan.seconds)
        _turn(plan, stage, REDIS, plan.rounds + 1)
        return watching.result()

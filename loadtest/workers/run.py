"""A server of one worker beside one of several, turn by turn; both keep their logs in the same Redis."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from loadtest.address import Address
from loadtest.recipes import HOST, scripted
from loadtest.redis import redis_server
from loadtest.rounds import Rounds
from loadtest.servers import Server, free_port, running
from loadtest.steady import Steady, chat, steady
from loadtest.workers.results import Plan, Results


def workers(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start all, take turns, end all. Raises ServerError."""
    with ExitStack() as stack:
        port = free_port()
        redis_pid = stack.enter_context(redis_server(port, folder))
        servers: dict[str, Server] = {}
        for database, (name, count) in enumerate(zip(plan.names, (1, plan.workers), strict=True)):
            # Several workers always share a Redis: one worker with its logs in memory would be another comparison.
            options = ("--workers", str(count), "--redis-url", f"redis://{HOST}:{port}/{database}")
            recipe = scripted(name.replace(" ", "-"), f"tokens=1000000&token_ms={plan.token_ms}", options)
            servers[name] = stack.enter_context(running(recipe, folder))
        rounds: Rounds[Steady] = Rounds(plan.names)
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for name, server in servers.items():
                rounds.note(name, _turn(plan, server, redis_pid, number))
    return Results(plan, rounds)


def _turn(plan: Plan, server: Server, redis_pid: int, number: int) -> Steady:
    address, pids = Address.of(server.url), {"server": server.pid, "redis": redis_pid}

    def question(one: int) -> bytes:
        return chat(address, f"{number} {one}", plan.tokens)

    return steady(address, question, plan.streams, plan.warm_s, plan.seconds, pids)

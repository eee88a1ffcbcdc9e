"""Hits from memory and from Redis beside a bare GET of the same size, turn by turn."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvloop
from redis import Redis

from loadtest.address import Address
from loadtest.exchange import Exchange, HttpAnswer, post
from loadtest.hit.bare import Value, get
from loadtest.plan import PlanError
from loadtest.recipes import HOST, scripted
from loadtest.redis import redis_server
from loadtest.report import plain
from loadtest.servers import MODEL, Server, ServerError, free_port, running
from loadtest.turn import Target, Turn, turn

BARE: Final = "GET"
STORES: Final = ("memory", "redis")
_WARM_TRIES: Final = 50


class Shape(NamedTuple):
    """An answer, and how many ask for it at a time."""

    streamed: bool
    tokens: int
    streams: int

    @property
    def manner(self) -> str:
        return "streamed" if self.streamed else "plain"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which answers, how often, and how long each turn is."""

    tokens: Sequence[int] = (50, 500)
    levels: Sequence[int] = (1, 32)
    rounds: int = 5
    seconds: float = 1.0

    def __post_init__(self) -> None:
        for name, value, most in (
            *(("tokens", value, 4_096) for value in self.tokens),
            *(("streams", value, 256) for value in self.levels),
            ("rounds", self.rounds, 50),
            ("seconds", self.seconds, 60.0),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")

    def shapes(self) -> list[Shape]:
        """All of them."""
        return [Shape(*each) for each in itertools.product((False, True), self.tokens, self.levels)]


class Hit(HttpAnswer):
    """An answer that was given again."""

    @property
    def good(self) -> bool:
        return self.status == 200 and self.outcome == "HIT"


class Stage(NamedTuple):
    """What runs: a server for each store, and the Redis of one of them."""

    servers: dict[str, Server]
    redis: Redis
    redis_address: Address
    redis_pid: int


class Results:
    """All turns, by shape and by what was asked, in the order of the rounds."""

    def __init__(self, plan: Plan) -> None:
        self.turns: dict[tuple[Shape, str], list[Turn]] = {
            (shape, name): [] for shape in plan.shapes() for name in (BARE, *STORES)
        }
        self.sizes: dict[Shape, int] = {}
        """Bytes of each answer's body, and of the value that stands beside it."""

    @property
    def failed(self) -> bool:
        """Something was asked that was no hit."""
        return any(turn.wrong or not turn.answers for turns in self.turns.values() for turn in turns)

    def median(self, shape: Shape, name: str, of: Callable[[Turn], float]) -> float:
        """The middle of the rounds."""
        return statistics.median(map(of, self.turns[shape, name]))

    def ratios(self, shape: Shape, name: str, of: Callable[[Turn], float]) -> list[float]:
        """To the bare GET of the same round."""
        pairs = zip(self.turns[shape, name], self.turns[shape, BARE], strict=True)
        return [of(ours) / of(bare) for ours, bare in pairs]

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn."""
        return [
            {**shape._asdict(), "bytes": self.sizes[shape], "asked": name, "round": number, **plain(asdict(one))}
            for (shape, name), turns in self.turns.items()
            for number, one in enumerate(turns, 1)
        ]


def hits(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Start all, take turns, and end all; the logs are left in that folder. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(plan)
    with _stage(folder) as stage:
        targets = {shape: _targets(shape, stage, results) for shape in plan.shapes()}
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            # A B C A B C: a machine that grows slower does so for all three.
            for shape in plan.shapes():
                for target in targets[shape]:
                    results.turns[shape, target.name].append(turn(target, shape.streams, plan.seconds))
    return results


@contextmanager
def _stage(folder: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        port = free_port()
        pid = stack.enter_context(redis_server(port, folder))
        client = stack.enter_context(Redis(port=port, socket_timeout=10))
        given: dict[str, tuple[str, ...]] = {"memory": (), "redis": ("--redis-url", f"redis://{HOST}:{port}")}
        servers = {
            name: stack.enter_context(running(scripted(name, "tokens=100000", options), folder))
            for name, options in given.items()
        }
        yield Stage(servers, client, Address(HOST, port), pid)


def _targets(shape: Shape, stage: Stage, results: Results) -> list[Target]:
    """What stands beside each other; the answers are kept, and the value is as long as they are."""
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": f"hit {shape.tokens}"}],
        "max_tokens": shape.tokens,
        "temperature": 0,
        "stream": shape.streamed,
    }
    made = []
    for name, server in stage.servers.items():
        address = Address.of(server.url)
        question = post(address, "/v1/chat/completions", json.dumps(asked).encode())
        results.sizes[shape] = uvloop.run(_warm(address, question))
        made.append(Target(name, address, question, Hit, server.pid))
    key = f"bare:{shape.manner}:{shape.tokens}"
    stage.redis.set(key, bytes(results.sizes[shape]))
    return [Target(BARE, stage.redis_address, get(key), Value, stage.redis_pid), *made]


async def _warm(address: Address, question: bytes) -> int:
    """Ask until it is a hit; how long its body is. Raises ServerError."""
    for _ in range(_WARM_TRIES):
        answer, exchange = Hit(), await Exchange.open(address)
        await exchange.ask(question, answer)
        exchange.close()
        if answer.good:
            return answer.size
    raise ServerError(f"asked {_WARM_TRIES} times, it is no hit: {answer.status} {answer.outcome}")

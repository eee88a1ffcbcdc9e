"""What is asked, how often, when, and what is done to it: decided before anything is sent, the same for the same seed.

No I/O.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, takewhile
from typing import Any, Final

from loadtest.arrivals import MOST_STREAMS, Arrivals, Closed
from loadtest.record import Objective
from loadtest.workloads import Asked, Workload

MOST_REQUESTS = 1_000_000
MOST_SECONDS = 7_200.0
MOST_CLIENTS = 64


class PlanError(ValueError):
    """A load that this tool will not make."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What every request says beside its prompt."""

    model: str
    temperature: float | None = None
    ignore_eos: bool = True

    def chat(self, asked: Asked) -> dict[str, Any]:
        """Return it as OpenAI's chats have it, to be streamed."""
        return {"model": self.model, "messages": [*asked.messages], **self._parameters(asked)}

    def completion(self, asked: Asked) -> dict[str, Any]:
        """Return it as a completion of one prompt."""
        return {"model": self.model, "prompt": asked.text, **self._parameters(asked)}

    def _parameters(self, asked: Asked) -> dict[str, Any]:
        said: dict[str, Any] = {
            "max_tokens": asked.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.ignore_eos:
            said["ignore_eos"] = True
        # What is not asked for is not sent: the server's own default holds.
        if self.temperature is not None:
            said["temperature"] = self.temperature
        return said


@dataclass(frozen=True, slots=True)
class Harm:
    """What is done to one request on purpose."""

    leave_after: int | None = None
    """Canceled once so many events have said something."""
    cut_after: int | None = None
    """Its connection is cut once so many bytes were read."""


UNHARMED: Final = Harm()


@dataclass(frozen=True, slots=True)
class Harms:
    """Which share of the requests is canceled after a random event, and which is cut at a random byte."""

    cancel: float = 0.0
    cut: float = 0.0
    cut_bytes: int = 4_000
    """At most so many are read before a cut."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A bounded load."""

    shape: Shape
    work: Workload
    arrivals: Arrivals
    requests: int
    seconds: float = 120.0
    """What is unfinished by then is given up."""
    lasting: float | None = None
    """No new request begins after so many seconds."""
    surface: str = "chat"
    generations: int = 1
    """How many are watched, where requests are watchers."""
    watched: tuple[str, ...] = ()
    """Their ids, once they were begun."""
    harms: Harms = Harms()
    objective: Objective | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, most in (
            ("requests", self.requests, MOST_REQUESTS),
            *self.arrivals.bounds(),
            *self.work.bounds(),
            ("seconds", self.seconds, MOST_SECONDS),
            ("lasting", self.lasting if self.lasting is not None else 1, MOST_SECONDS),
            ("generations", self.generations, MOST_STREAMS),
            ("cut_bytes", self.harms.cut_bytes, MOST_REQUESTS),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most}, not {value}")
        if not (0 <= self.harms.cancel <= 1 and 0 <= self.harms.cut <= 1):
            raise PlanError("cancel and cut are shares of all requests, from 0 to 1")

    def __str__(self) -> str:
        return f"{self.surface}; {self.arrivals}; {self.work}"

    def numbers(self, client: int, clients: int) -> Iterator[int]:
        """Yield the requests that one of several client processes makes: as many as its share of the streams."""
        streams = self.arrivals.streams if isinstance(self.arrivals, Closed) else clients
        return (number for number in range(self.requests) if number % streams % clients == client)

    def due(self, client: int, clients: int) -> Iterator[tuple[int, float]]:
        """Yield an open loop's requests of one client process, each with the second at which it is due."""
        assert not isinstance(self.arrivals, Closed)
        until = self.seconds if self.lasting is None else self.lasting
        times = takewhile(lambda at: at < until, islice(self.arrivals.times(self.seed), self.requests))
        return islice(enumerate(times), client, None, clients)

    def as_json(self) -> dict[str, Any]:
        """Return what was asked for, as plain values."""
        return {
            "surface": self.surface,
            "arrivals": str(self.arrivals),
            "work": str(self.work),
            "requests": self.requests,
            "seconds": self.seconds,
            "lasting": self.lasting,
            "generations": self.generations if self.surface == "watch" else None,
            "seed": self.seed,
            **asdict(self.shape),
            **asdict(self.harms),
        }

    def harm(self, number: int, events: int) -> Harm:
        """Return what is done to the request of that number, whose answer may have so many events."""
        if not (self.harms.cancel or self.harms.cut):
            return UNHARMED
        chance = random.Random(f"{self.seed}/harm/{number}")
        leaves, cut = chance.random() < self.harms.cancel, chance.random() < self.harms.cut
        return Harm(
            leave_after=chance.randint(1, events) if leaves else None,
            cut_after=chance.randint(1, self.harms.cut_bytes) if cut else None,
        )

"""Three real `vllm serve` behind one name, one of them killed in the middle of a hundred streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import httpx
import pytest

from engines.base import State
from engines.seat import Seat
from tests.engines.openai.vllm_serve import MODEL, VllmServe, running
from tests.serving import Served, serving
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

STREAMS: Final = 100
TOKENS: Final = 96
"""In an answer, at most; stories are seldom shorter."""
LONG: Final = 200
"""In one that many have begun when its server dies."""
AT_ONCE: Final = 12
"""What one server answers at a time: when it dies, others of its callers have not had their first token."""

_TOOLS: Final = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
SMALL: Final = (*_TOOLS, "--kv-cache-memory-bytes", str(128 << 20), "--max-num-seqs", str(AT_ONCE))


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[VllmServe, ...]]:
    # Each under two names: to whoever asks for the other one, it is another model.
    with running(*(VllmServe(MODEL, "campfire other", *SMALL) for _ in range(3))) as servers:
        yield servers


class Answer(NamedTuple):
    """What one caller was given. `notes` say how many characters stood before each."""

    text: str
    tokens: int
    finish: str | None
    notes: tuple[int, ...] = ()
    error: Any = None


class Ask(NamedTuple):
    """How one caller asks, and for what."""

    manner: str
    topic: int
    greedy: bool
    least: int = 0
    """Tokens that the answer has in any case, and no more than these if that is many."""

    @property
    def body(self) -> dict[str, Any]:
        chance = {"temperature": 0} if self.greedy else {"temperature": 0.8, "seed": self.topic}
        asked = {"model": "campfire", "max_tokens": max(TOKENS, self.least), "min_tokens": self.least, **chance}
        story = f"Tell me a story about a fox and {self.topic} owls."
        if self.manner == "text":
            return asked | {"prompt": story, "stream": True, "stream_options": {"include_usage": True}}
        asked["messages"] = [{"role": "user", "content": story}]
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return asked | (streamed if self.manner == "chat" else {})

    async def of(self, client: httpx.AsyncClient) -> Answer:
        """The answer, read to its end."""
        if self.manner == "whole":
            return _whole((await client.post("/v1/chat/completions", json=self.body)).json())
        if self.manner == "native":
            id = (await client.post("/v1/streams", json=self.body)).json()["id"]
            return await _watched(client, id)
        path = "/v1/chat/completions" if self.manner == "chat" else "/v1/completions"
        async with client.stream("POST", path, json=self.body) as stream:
            return _added_up([data async for _, data in _events(stream)])


def asks(count: int) -> list[Ask]:
    """As many, of every manner; half of each are greedy."""
    manners = ("native", "chat", "native", "text", "whole")
    return [Ask(manners[index % 5], index // 10, index // 5 % 2 == 0) for index in range(count)]


def _whole(body: dict[str, Any]) -> Answer:
    if "error" in body:
        return Answer("", 0, None, error=body["error"])
    choice = body["choices"][0]
    return Answer(choice["message"]["content"], body["usage"]["completion_tokens"], choice["finish_reason"])


def _added_up(chunks: list[dict[str, Any]]) -> Answer:
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    return Answer(
        "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices),
        sum(chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")),
        next((choice["finish_reason"] for choice in choices if choice["finish_reason"]), None),
        error=next((chunk["error"] for chunk in chunks if "error" in chunk), None),
    )


async def _watched(client: httpx.AsyncClient, id: str) -> Answer:
    text, notes = "", []
    async with client.stream("GET", f"/v1/streams/{id}") as stream:
        async for kind, data in _events(stream):
            text += data.get("d", "")
            if kind == "note":
                notes.append(len(text))
            elif kind == "end":
                usage = data["usage"]["completion_tokens"]
                return Answer(text, usage, data.get("reason"), tuple(notes), data.get("error"))
    return Answer(text, 0, None, tuple(notes), "cut off")


async def _events(stream: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    kind = ""
    async for line in stream.aiter_lines():
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: {"):
            yield kind, json.loads(line[6:])


@asynccontextmanager
async def in_front_of(*upstreams: tuple[VllmServe, str]) -> AsyncIterator[Served]:
    """A Hearth with all of these behind one name, each asked by a name of its own; it remembers no answers."""
    for server, _ in upstreams:
        if not server.runs:
            server.start()
            await asyncio.to_thread(server.wait, 120)
    named = [f"campfire=openai:{server.url}?model={name}&health_s=2" for server, name in upstreams]
    async with serving(*named, cache="off") as served:
        await until(lambda: all(seat.state is State.WARM for seat in served.gateway.pool.seats.values()), 30)
        yield served


def a_client(served: Served) -> httpx.AsyncClient:
    # A connection for each request: none can meet one that was just closed for its idleness.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=served.url, timeout=120, limits=limits)


async def counted(client: httpx.AsyncClient, sample: str) -> float:
    """One of Hearth's own metrics; 0 while it has nothing to count."""
    lines = (await client.get("/metrics")).text.splitlines()
    return next((float(line.removeprefix(sample)) for line in lines if line.startswith(f"{sample} ")), 0.0)


class Crowd:
    """Callers who ask at once, and the engine that is seen amid their answers."""

    def __init__(self, client: httpx.AsyncClient, asked: Sequence[Ask]) -> None:
        self.asked = asked
        self._client = client

    async def undisturbed(self) -> dict[Ask, Answer]:
        """What is answered to those who take the likeliest."""
        greedy = [ask for ask in self.asked if ask.greedy]
        return dict(zip(greedy, await asyncio.gather(*(ask.of(self._client) for ask in greedy)), strict=True))

    async def disturbed(self, seats: Sequence[Seat], deed: Callable[[Seat], None]) -> list[Answer]:
        """What each is answered where one of these engines has that done to it: in the middle, while callers wait."""
        given = {seat: seat.tokens for seat in seats}

        def amid(seat: Seat) -> bool:
            return seat.held > AT_ONCE and seat.tokens - given[seat] > AT_ONCE * TOKENS // 3

        reading = [asyncio.create_task(ask.of(self._client)) for ask in self.asked]
        await until(lambda: any(map(amid, seats)), 60)
        deed(next(filter(amid, seats)))
        return await asyncio.gather(*reading)


async def test_a_server_is_killed_amid_a_hundred_streams_and_every_answer_is_whole(
    servers: tuple[VllmServe, ...],
) -> None:
    async with in_front_of(*((server, "campfire") for server in servers)) as hearth, a_client(hearth) as client:
        seats = list(hearth.gateway.pool.seats.values())
        crowd = Crowd(client, asks(STREAMS))
        expected = await crowd.undisturbed()
        killed: list[tuple[Seat, int]] = []

        def kill(seat: Seat) -> None:
            killed.append((seat, seat.held))
            servers[seats.index(seat)].kill()

        answers = await crowd.disturbed(seats, kill)
        [(dead, held)] = killed
        for ask, answer in zip(crowd.asked, answers, strict=True):
            assert answer.error is None, ask
            assert answer.tokens == TOKENS if answer.finish == "length" else answer.finish == "stop", ask
            if ask.greedy:
                assert answer._replace(notes=()) == expected[ask], ask
        told = [note for answer in answers for note in answer.notes]
        # Some had begun and were gone on with; some had not, and were asked of another from the start.
        assert any(told) and not all(told)
        # Of those that ran, some may have had all their tokens already.
        assert await counted(client, 'hearth_takeovers_total{gone="engine",model="campfire"}') > held - AT_ONCE

        await until(lambda: dead.state is State.BROKEN, 30)
        server = servers[seats.index(dead)]
        assert server.address in dead.stage
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["models"]["campfire"]["state"]) == (200, "warm")

        server.start()
        await asyncio.to_thread(server.wait, 120)
        await until(lambda: dead.state is State.WARM, 60)
        before = dead.tokens
        await asyncio.gather(*(ask.of(client) for ask in asks(24)))
        assert dead.tokens > before


class CallsTools(Ask):
    """It may call a tool: whether it had begun to is lost with its engine."""

    @property
    def body(self) -> dict[str, Any]:
        look = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
        return super().body | {"tools": [look]}


async def test_what_cannot_be_continued_fails_once_it_has_begun_and_is_told_that_it_may_be_asked_again(
    servers: tuple[VllmServe, ...],
) -> None:
    asked = [CallsTools("chat", topic, True, LONG) for topic in range(60)]
    await none_is_mixed([(servers[0], "campfire"), (servers[1], "campfire")], asked, "whether it calls a tool is lost")


async def test_no_answer_goes_on_where_another_version_of_the_model_is_all_that_is_left(
    servers: tuple[VllmServe, ...],
) -> None:
    asked = [Ask("chat", topic, True, LONG) for topic in range(60)]
    await none_is_mixed([(servers[1], "campfire"), (servers[2], "other")], asked, "cannot be reached")


async def none_is_mixed(upstreams: list[tuple[VllmServe, str]], asked: Sequence[Ask], why: str) -> None:
    """Kill a server that gives answers which nobody can go on with: those that had begun end, all others are whole."""
    async with in_front_of(*upstreams) as hearth, a_client(hearth) as client:
        crowd = Crowd(client, asked)
        expected = await crowd.undisturbed()
        seats = list(hearth.gateway.pool.seats.values())
        answers = await crowd.disturbed(seats, lambda seat: upstreams[seats.index(seat)][0].kill())
        failed = 0
        for ask, answer in zip(asked, answers, strict=True):
            if answer.error is None:
                assert answer == expected[ask], ask
                continue
            failed += 1
            assert answer.error["code"] == "engine_died", answer.error
            assert answer.error["type"] == "server_error"
            assert why in answer.error["message"]
            assert answer.text and expected[ask].text.startswith(answer.text), ask
        assert 0 < failed <= AT_ONCE

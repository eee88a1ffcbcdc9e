"""A watcher that is cut, wherever it is cut, loses nothing and hears nothing twice."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from urllib.parse import quote

import pytest

from tests.gateway.surfaces.talking import Talk, talking
from tests.gateway.surfaces.watching import Frame, started, text, watched, watching
from tests.serving import Served, serving

TOKENS = 60
ODD = 'a \u2028 \r\n \n\n data: 🔥 \x00 \\ " \x85 \ufeff'
LIVE = f"demo=scripted:?token_ms=10&tokens={TOKENS}&answer={quote(ODD)}"


def heard(frames: list[Frame]) -> tuple[str, int, dict[str, object]]:
    """All that a client has of a generation: its text, how many events it saw, its end."""
    expected = frames[0].data["o"]
    for frame in frames:
        assert frame.data["o"] == expected, "lost or told twice"
        expected += frame.data["n"]
    return text(frames), expected, {**frames[-1].data, "replay": None}


async def in_pieces_by_sse(server: Served, id: str, most: random.Random | None) -> list[Frame]:
    """Read a stream over many connections, each dropped after one event, or after a few."""
    frames: list[Frame] = []
    while True:
        after = frames[-1].position if frames else ""
        async with watching(server.url, f"/v1/streams/{id}", last_event_id=after) as stream:
            if stream.status == 204:
                return frames
            left = most.randint(1, 5) if most else 1
            async with aclosing(stream.frames()) as more:
                async for frame in more:
                    frames.append(frame)
                    left -= 1
                    if left == 0:
                        break


async def in_pieces_by_socket(server: Served, id: str, most: random.Random | None) -> list[Frame]:
    """The same, over sockets."""
    frames: list[Frame] = []
    while not frames or frames[-1].event != "end":
        async with talking(server.url) as talk:
            frames += await _some(talk, id, frames[-1].position if frames else None, most.randint(1, 5) if most else 1)
            talk.connection.transport.abort()
    return frames


async def _some(talk: Talk, id: str, after: str | None, most: int) -> list[Frame]:
    await talk.say("attach", "a", generation=id, after=after)
    attached = await talk.hear("a", "attached")
    some: list[Frame] = []
    while len(some) < most and not (some and some[-1].event == "end"):
        frame = await talk.hear("a")
        assert frame.pop("id") == "a"
        some.append(Frame(f"{attached['epoch']}-{frame['o'] + frame['n'] - 1}", frame.pop("t"), frame))
    return some


Read = Callable[[Served, str, random.Random | None], Awaitable[list[Frame]]]


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("read", [in_pieces_by_sse, in_pieces_by_socket])
async def test_cut_after_every_event_or_after_a_few_the_whole_is_the_same(read: Read, seed: int | None) -> None:
    async with serving(LIVE) as server:
        id = await started(server.url)
        pieces = await read(server, id, None if seed is None else random.Random(seed))
        whole = await watched(server.url, id)
        assert heard(pieces) == heard(whole)
        assert heard(whole)[1] >= TOKENS + 3
        assert heard(await read(server, id, None)) == heard(whole)


async def test_every_position_of_an_ended_log_can_be_gone_on_from() -> None:
    async with serving(LIVE.replace("token_ms=10", "token_ms=0")) as server:
        id = await started(server.url)
        whole = await watched(server.url, id)
        said, events, _ = heard(whole)
        assert said.startswith(ODD)
        log = await server.gateway.open(id, "local")
        for seen in range(events - 1):
            after = f"{log.epoch}-{seen}"
            rest = await watched(server.url, id, after)
            assert rest[0].data["o"] == seen + 1
            assert said.endswith(text(rest))
            before = "".join(getattr(event, "text", "") for event in log.between(0, seen + 1))
            assert before + text(rest) == said
            async with talking(server.url) as talk:
                assert text(await _some(talk, id, after, events)) == text(rest)


async def test_a_stream_that_is_cut_within_a_frame_goes_on_before_it() -> None:
    async with serving(LIVE.replace("token_ms=10", "token_ms=0")) as server:
        id = await started(server.url)
        whole = await watched(server.url, id)
        for size in range(1, 600, 7):
            # What came before the cut counts as far as its last whole event; the rest is asked for again.
            async with watching(server.url, f"/v1/streams/{id}") as stream:
                got = b""
                async with aclosing(stream.chunks()) as chunks:
                    async for chunk in chunks:
                        got += chunk
                        if len(got) >= size:
                            break
            blocks = got[:size].split(b"\n\n")[:-1]
            seen = [block.split(b"\n")[0][4:].decode() for block in blocks if block.startswith(b"id: ")]
            rest = await watched(server.url, id, seen[-1] if seen else "")
            kept = whole[: len(seen)]
            assert heard([*kept, *rest]) == heard(whole)

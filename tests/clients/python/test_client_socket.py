"""Many generations on one WebSocket."""

from __future__ import annotations

import asyncio

import pytest
from fake_hearth import EPOCH, Ask, FakeHearth, Plan
from hearth_client import AsyncHearth, HearthError, Lane
from sides import HASTE


async def offsets(lane: Lane) -> list[int]:
    return [event.offset async for event in lane]


async def test_lanes_share_a_socket(fake: FakeHearth) -> None:
    """One handshake, two generations, each whole."""
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        one, two = await socket.create({"model": "demo"}), await socket.attach("gen_2", f"{EPOCH}-4")

        assert [*await asyncio.gather(offsets(one), offsets(two))] == [[*range(14)], [*range(5, 14)]]
        assert (one.generation, two.generation, len(fake.headers)) == ("gen_1", "gen_2", 1)


async def test_a_lane_that_nobody_reads_keeps_no_other_waiting(fake: FakeHearth) -> None:
    """Its events wait for it."""
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        idle, busy = await socket.attach("gen_1"), await socket.attach("gen_2")

        assert await offsets(busy) == [*range(14)]
        assert await offsets(idle) == [*range(14)]


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_cut_after_every_event_of_two_lanes(fake: FakeHearth, end: str) -> None:
    """Each lane goes on from its own position on the next socket."""
    for events in range(1, 2 * len(fake.records)):
        fake.plans.append(Plan(end=end, events=events))  # type: ignore[arg-type]
        async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
            one, two = await asyncio.gather(socket.attach("gen_1"), socket.attach("gen_2"))

            assert [*await asyncio.gather(offsets(one), offsets(two))] == [[*range(14)], [*range(14)]]


async def test_a_lane_s_own_cut_leaves_the_others_alone(fake: FakeHearth) -> None:
    """The lane attaches again on the same socket."""
    fake.plans.append(Plan(end="cut", events=5))
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        assert await offsets(await socket.attach("gen_1")) == [*range(14)]
    assert (fake.asks, len(fake.headers)) == ([Ask("ws", None), Ask("ws", f"{EPOCH}-4")], 1)


async def test_a_created_generation_goes_on_after_a_cut(fake: FakeHearth) -> None:
    """Once its id is known it is attached to, not created again."""
    fake.plans.append(Plan(events=5))
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        assert await offsets(await socket.create({"model": "demo"})) == [*range(14)]
    assert [frame["t"] for frame in fake.frames] == ["create", "attach"]


async def test_a_creation_whose_answer_is_lost_fails_unless_it_has_a_key(fake: FakeHearth) -> None:
    """By its key the server knows it again: no second generation is started."""
    for key in (None, "k"):
        fake.frames.clear()
        fake.plans.append(Plan(end="reset", mute=True))
        async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
            if key is None:
                with pytest.raises(HearthError):
                    await socket.create({"model": "demo"})
                assert [frame["t"] for frame in fake.frames] == ["create"]
            else:
                assert await offsets(await socket.create({"model": "demo"}, idempotency_key=key)) == [*range(14)]
                assert [(frame["t"], frame["idempotency_key"]) for frame in fake.frames] == [("create", "k")] * 2


async def test_a_silent_socket_is_given_up(fake: FakeHearth) -> None:
    """Two pings without an answer, then a new socket."""
    fake.plans.append(Plan(end="silence", events=5))
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        assert await offsets(await socket.attach("gen_1")) == [*range(14)]
    assert [frame["t"] for frame in fake.frames] == ["attach", "ping", "ping", "attach"]


async def test_a_refused_lane_is_told_and_the_socket_lives(fake: FakeHearth) -> None:
    """The refusal is raised where the lane was asked for."""
    fake.plans.append(Plan(body={"code": "unknown_generation", "message": "no", "retry": False}))
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        for _ in range(2):
            with pytest.raises(HearthError) as caught:
                await socket.attach("gen_9")
            assert caught.value.code == "unknown_generation"
    assert len(fake.headers) == 1


async def test_detaching_ends_the_lane(fake: FakeHearth) -> None:
    """What arrived is still there, and then it is over."""
    fake.records = fake.records[:4]
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        lane = await socket.attach("gen_1")
        await lane.detach()

        assert await offsets(lane) == [*range(4)]


async def test_cancel_names_the_lane(fake: FakeHearth) -> None:
    """The server is told which generation to stop."""
    fake.records = fake.records[:4]
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        lane = await socket.attach("gen_1")
        await lane.cancel()
        await lane.detach()
        await offsets(lane)
    assert fake.frames[1:3] == [{"t": "cancel", "id": "0"}, {"t": "detach", "id": "0"}]


async def test_a_socket_that_cannot_open_says_so(fake: FakeHearth) -> None:
    """At once, with the server's reason."""
    fake.plans.append(Plan(end="refuse", status=401, body={"code": "bad_key", "message": "who?"}))
    async with AsyncHearth(fake.url, patience=HASTE) as hearth:
        with pytest.raises(HearthError) as caught:
            async with hearth.socket():
                raise AssertionError("entered")
    assert (caught.value.code, caught.value.status) == ("bad_key", 401)


async def test_a_closed_socket_ends_its_lanes(fake: FakeHearth) -> None:
    """A lane outlives its socket only to say so."""
    fake.records = fake.records[:4]
    async with AsyncHearth(fake.url, patience=HASTE) as hearth:
        async with asyncio.timeout(10), hearth.socket() as socket:
            lane = await socket.attach("gen_1")
        with pytest.raises(HearthError) as caught:
            async with asyncio.timeout(10):
                await offsets(lane)
    assert caught.value.code == "closed"


async def test_a_socket_closed_for_our_fault_is_not_opened_again(fake: FakeHearth) -> None:
    """Close codes 4400 to 4499 say that the same frames would fail again."""
    fake.plans.append(Plan(events=3, close=4400))
    async with asyncio.timeout(10), AsyncHearth(fake.url, patience=HASTE) as hearth, hearth.socket() as socket:
        lane = await socket.attach("gen_1")
        with pytest.raises(HearthError) as caught:
            await offsets(lane)
    assert (caught.value.code, caught.value.retry, len(fake.headers)) == ("bad_frame", False, 1)

"""A cut anywhere loses nothing and doubles nothing."""

from __future__ import annotations

from typing import Literal

import pytest
from fake_hearth import EPOCH, TEXT, Ask, FakeHearth, Plan, numbered
from hearth_client import Delta, Event, HearthError
from sides import Async, Sync

Transport = Literal["sse", "ws"]


def positions(events: list[Event]) -> list[str]:
    return [event.position for event in events]


def every(fake: FakeHearth) -> list[str]:
    return [f"{EPOCH}-{offset}" for offset in range(len(fake.records))]


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


@pytest.mark.parametrize("end", ["close", "reset", "cut"])
async def test_a_cut_after_every_event(
    fake: FakeHearth, client: Sync | Async, transport: Transport, end: Literal["close", "reset", "cut"]
) -> None:
    """After 0, 1, 2, … events the connection ends, in each way it can; the next one brings the rest."""
    for events in range(1, len(fake.records)):
        fake.plans.append(Plan(end=end, events=events))
        seen: list[Event] = []
        await client.watch(None, transport, seen)

        assert positions(seen) == every(fake)
        assert text(seen) == TEXT
        if end != "reset":  # A reset may overtake what was sent before it.
            assert fake.asks[-1] == Ask(transport, f"{EPOCH}-{events - 1}")


async def test_a_cut_at_every_byte(fake: FakeHearth, client: Sync | Async) -> None:
    """Half an event is no event: it comes again, whole."""
    fake.records = numbered(
        ("delta", {"c": 0, "d": "狐"}), ("delta", {"c": 0, "d": "🦊"}), ("end", {"state": "finished"})
    )
    whole = fake.sse(None, Plan())
    for at in range(len(whole)):
        fake.plans.append(Plan(bytes=at))
        seen: list[Event] = []
        await client.watch(None, "sse", seen)

        assert positions(seen) == every(fake)
        assert text(seen) == "狐🦊"


async def test_a_cut_before_the_first_event(fake: FakeHearth, client: Sync | Async, transport: Transport) -> None:
    """Nothing was seen, so nothing is named: the next connection reads from the start."""
    fake.plans.append(Plan(events=0))
    seen: list[Event] = []
    await client.watch(None, transport, seen)

    assert positions(seen) == every(fake)
    assert fake.asks == [Ask(transport, None)] * 2


async def test_a_cut_after_each_single_event(fake: FakeHearth, client: Sync | Async, transport: Transport) -> None:
    """Any number of cuts is borne, as long as each connection brings something."""
    fake.plans.extend(Plan(events=1) for _ in fake.records)
    seen: list[Event] = []
    await client.watch(None, transport, seen)

    assert positions(seen) == every(fake)


async def test_a_silent_connection_is_given_up(fake: FakeHearth, client: Sync | Async, transport: Transport) -> None:
    """No keep-alive within the deadline, and the watch goes on elsewhere."""
    fake.plans.append(Plan(end="silence", events=4))
    seen: list[Event] = []
    await client.watch(None, transport, seen)

    assert positions(seen) == every(fake)
    assert fake.asks[1:] == [Ask(transport, f"{EPOCH}-3")]


async def test_cuts_without_an_event_between_them_end_the_watch(
    fake: FakeHearth, client: Sync | Async, transport: Transport
) -> None:
    """After its retries the watch raises what stopped it; what was seen stays seen."""
    fake.plans.append(Plan(events=3))
    fake.plans.extend(Plan(events=0) for _ in range(5))
    seen: list[Event] = []
    with pytest.raises(HearthError) as caught:
        await client.watch(None, transport, seen)

    assert (caught.value.code, caught.value.retry) == ("connection_lost", True)
    assert positions(seen) == every(fake)[:3]
    assert len(fake.asks) == 4


async def test_a_refusal_that_may_be_retried_is(fake: FakeHearth, client: Sync | Async, transport: Transport) -> None:
    """A restarting server answers 503 for a while."""
    fake.plans.extend([Plan(events=3), Plan(end="refuse", status=503), Plan(end="refuse", status=503)])
    seen: list[Event] = []
    await client.watch(None, transport, seen)

    assert positions(seen) == every(fake)

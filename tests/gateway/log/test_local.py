"""A log in this process: cursors, wakes, shared frames."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import HearthError
from gateway.log.base import Position, check
from gateway.log.local import Log
from tests.gateway.log.contract import FINISHED, a_generation, pieces


def a_log(first: int = 0) -> Log:
    return Log(a_generation(), "epoch1", first)


def test_a_position_before_the_earliest_event_is_trimmed() -> None:
    log = a_log(first=5)
    log.extend(pieces(3))
    for seen in (0, 3):
        with pytest.raises(HearthError) as told:
            check(log, Position("epoch1", seen))
        assert (told.value.code, told.value.details) == ("trimmed", {"epoch": "epoch1", "earliest": 5, "tail": 7})
    assert [check(log, Position("epoch1", seen)) for seen in (4, 5, 7)] == [5, 6, 8]
    assert check(log, None) == 5


def test_an_empty_log_has_no_position_to_be_past_of() -> None:
    with pytest.raises(HearthError, match="past_the_end"):
        check(a_log(), Position("epoch1", 0))


def test_a_wake_comes_once_and_only_to_who_still_waits() -> None:
    log = a_log()
    woken: list[str] = []
    log.on_next("a", lambda: woken.append("a"))
    log.on_next("b", lambda: woken.append("never: replaced"))
    log.on_next("b", lambda: woken.append("b"))
    log.on_next("c", lambda: woken.append("never: forgotten"))
    log.forget("c")
    log.forget("nobody")
    log.extend(pieces(1))
    log.extend(pieces(1))
    assert woken == ["a", "b"]


def test_a_wake_may_ask_for_the_next_one() -> None:
    log = a_log()
    woken: list[int] = []

    def wake() -> None:
        woken.append(log.tail)
        log.on_next("a", wake)

    log.on_next("a", wake)
    for _ in range(3):
        log.extend(pieces(1))
    assert woken == [0, 1, 2]


def test_readers_of_the_same_events_share_what_was_encoded() -> None:
    log = a_log()
    log.extend(pieces(3))
    made: list[bytes] = []

    def encode() -> bytes:
        made.append(b"%d" % len(made))
        return made[-1]

    assert [log.frame("sse", 0, 3, encode) for _ in range(100)] == [b"0"] * 100
    assert log.frame("ws", 0, 3, encode) == b"1"
    assert log.frame("sse", 1, 3, encode) == b"2"
    log.extend(pieces(1))
    assert log.frame("sse", 0, 3, encode) == b"3"


def test_what_is_shared_stays_small_on_a_log_that_ended() -> None:
    log = a_log()
    log.extend([*pieces(1000), FINISHED])
    for start in range(1000):
        assert log.frame("sse", start, 1001, lambda start=start: b"%d" % start) == b"%d" % start  # type: ignore[misc]
    assert len(log._frames) < 20


def test_readers_are_counted_as_they_come_and_go() -> None:
    log = a_log()
    counts: list[int] = []
    log.on_readers = counts.append
    first, second = log.read(0), log.read(0)
    first.close()
    first.close()
    second.close()
    assert counts == [1, 2, 1, 0]


async def test_a_wait_can_be_ended_from_outside() -> None:
    reader = a_log().read(0)
    waiting = asyncio.create_task(reader.wait(5))
    await asyncio.sleep(0)
    reader.wake()
    assert await waiting is True
    assert not reader.pending
    reader.wake()  # Nobody waits: nothing happens.


async def test_a_reader_that_is_closed_has_no_timer_left() -> None:
    log = a_log()
    reader = log.read(0)
    assert await reader.wait(0.001) is False
    waiting = asyncio.create_task(reader.wait(60))
    await asyncio.sleep(0)
    log.extend(pieces(1))
    assert await waiting
    reader.close()
    assert reader._timer is None
    assert (log.readers, log._waiting) == (set(), {})


def test_a_reader_that_is_closed_holds_on_to_nobody() -> None:
    reader = a_log().read(0)
    reader.cut = lambda: None
    reader.on_more(lambda: None)
    reader.close()
    # Else it, its log and whoever writes for it would wait for the collector.
    assert [getattr(reader, name) for name in ("_call", "cut")] == [None, None]


async def test_a_shorter_wait_after_a_longer_one_is_short() -> None:
    log = a_log()
    reader = log.read(0)
    long = asyncio.create_task(reader.wait(60))
    await asyncio.sleep(0)
    log.extend(pieces(1))
    assert await long
    reader.take()
    async with asyncio.timeout(5):
        assert await reader.wait(0.01) is False
    reader.close()
    assert reader._timer is None


def test_lag_is_what_lies_between_the_cursor_and_the_tail() -> None:
    log = a_log()
    reader = log.read(0)
    assert reader.lag == 0
    log.extend(pieces(10))
    whole = reader.lag
    reader.take(5)
    assert whole > reader.lag > 0
    reader.take()
    assert reader.lag == 0

"""Each event once, none skipped, and when to try again: without a network."""

from __future__ import annotations

from typing import Any

import pytest
from fake_hearth import EPOCH
from hearth_client import Delta, End, HearthError, Other, Patience, Progress
from hearth_client.backoff import Backoff
from hearth_client.cursor import Cursor
from hearth_client.events import decode
from hearth_client.reading import Reading

LOST = HearthError("connection_lost", "gone", retry=True)


def delta(first: int, count: int = 1) -> dict[str, Any]:
    return {"o": first, "n": count, "c": 0, "d": "x" * count}


def test_an_event_seen_before_is_dropped() -> None:
    """A server that starts too early doubles nothing."""
    cursor = Cursor(f"{EPOCH}-4")

    assert cursor.take(EPOCH, "delta", delta(2, 3)) is None
    assert cursor.position == f"{EPOCH}-4"


@pytest.mark.parametrize(("first", "count"), [(6, 1), (4, 3)])
def test_a_gap_and_an_overlap_are_asked_for_again(first: int, count: int) -> None:
    """Neither is taken: the position stays, so that the next connection starts right."""
    cursor = Cursor(f"{EPOCH}-4")

    with pytest.raises(HearthError) as caught:
        cursor.take(EPOCH, "delta", delta(first, count))
    assert (caught.value.code, caught.value.retry, cursor.position) == ("discontinuity", True, f"{EPOCH}-4")


def test_a_folded_event_moves_the_position_to_its_last_one() -> None:
    """`position` names the last event that was folded."""
    cursor = Cursor()
    event = cursor.take(EPOCH, "delta", delta(0, 8))

    assert isinstance(event, Delta)
    assert (event.text, event.position, cursor.position) == ("x" * 8, f"{EPOCH}-7", f"{EPOCH}-7")


def test_another_epoch_is_told() -> None:
    """Text of two lives of a log is never joined."""
    cursor = Cursor(f"{EPOCH}-4")

    with pytest.raises(HearthError) as caught:
        cursor.take("other", "delta", delta(4))
    assert (caught.value.code, caught.value.retry) == ("epoch_mismatch", False)


def test_a_new_epoch_that_goes_on_where_we_stand_is_gone_on_with() -> None:
    """The server knows the position: had it not been good any more, it would have said so."""
    cursor = Cursor(f"{EPOCH}-4")

    assert cursor.take("other", "delta", delta(5)) is not None
    assert cursor.position == "other-5"


@pytest.mark.parametrize("position", ["", "abc", "abc-", "-1", "ABC-1", "abc-01", "abc-1 ", "abc-१"])
def test_what_is_no_position_is_told_before_anything_is_asked(position: str) -> None:
    """A typing error costs no round trip."""
    with pytest.raises(HearthError) as caught:
        Cursor(position)
    assert caught.value.code == "bad_position"


def test_how_long_a_boot_will_take_is_read_where_it_is_told() -> None:
    """An older server says nothing of it."""
    told = {"o": 1, "n": 1, "stage": "booting", "message": "loading"}
    for said, ready_s in ((told, None), (told | {"ready_s": 11.5}, 11.5)):
        progress = decode("progress", said, f"{EPOCH}-1")
        assert isinstance(progress, Progress)
        assert progress.ready_s == ready_s


def test_an_event_of_a_newer_server_is_passed_on() -> None:
    """An unknown kind counts and is handed over, so that later offsets still fit."""
    cursor = Cursor()
    event = cursor.take(EPOCH, "hologram", {"o": 0, "n": 1, "value": 7})

    assert isinstance(event, Other)
    assert (event.name, event.data["value"], cursor.position) == ("hologram", 7, f"{EPOCH}-0")


def test_an_event_without_its_fields_is_a_bad_frame() -> None:
    """A broken server is not tried again."""
    with pytest.raises(HearthError) as caught:
        Cursor().take(EPOCH, "opened", {"o": 0, "n": 1})
    assert (caught.value.code, caught.value.retry) == ("bad_frame", False)


def test_waits_double_from_the_server_s_retry_up_to_the_longest() -> None:
    """The wait is never shorter than asked for."""
    backoff = Backoff(Patience(retries=5, longest=6), jitter=lambda: 0)
    backoff.begun()
    backoff.base = 1

    assert [backoff.lost(LOST) for _ in range(5)] == [1, 2, 4, 6, 6]
    with pytest.raises(HearthError):
        backoff.lost(LOST)


def test_an_event_makes_the_waits_short_again() -> None:
    """Only tries in vain count."""
    backoff = Backoff(Patience(retries=1, backoff=1), jitter=lambda: 1)
    backoff.progressed()

    assert backoff.lost(LOST) == 1.5
    backoff.progressed()
    assert backoff.lost(LOST) == 1.5


def test_retry_after_is_honoured() -> None:
    """The server's wish goes beyond our longest wait."""
    backoff = Backoff(Patience(longest=2), jitter=lambda: 0)
    backoff.begun()

    assert backoff.lost(HearthError("busy", "later", retry=True, retry_after=60)) == 60


def test_a_watch_that_cannot_begin_says_so_at_once() -> None:
    """A wrong address is no reason to wait."""
    with pytest.raises(HearthError):
        Backoff(Patience()).lost(LOST)


def test_events_before_a_cut_in_one_chunk_are_not_lost() -> None:
    """A chunk may hold both; the events come first."""
    reading = Reading("gen_1", None, Patience())
    reading.connected()
    delta = f'id: {EPOCH}-0\nevent: delta\ndata: {{"o":0,"n":1,"c":0,"d":"x"}}\n\n'
    cut = 'event: cut\ndata: {"code":"draining"}\n\n'
    seen = []

    with pytest.raises(HearthError) as caught:
        for event in reading.bytes((delta + cut).encode()):
            seen.append(event.position)
    assert (seen, reading.after, caught.value.code) == ([f"{EPOCH}-0"], f"{EPOCH}-0", "draining")


def test_a_failed_end_carries_its_error() -> None:
    """The end is an event like any other; whether to raise its error is the caller's choice."""
    failure = {"code": "engine_died", "message": "crash", "retry": True}
    event = Cursor().take(EPOCH, "end", {"o": 0, "n": 1, "state": "failed", "error": failure})

    assert isinstance(event, End) and event.error is not None
    assert (event.error.code, event.error.retry) == ("engine_died", True)

"""A watcher takes every event once, whatever becomes of its connections."""

from __future__ import annotations

import pytest

from loadtest.address import Address
from loadtest.plan import Harm
from loadtest.surfaces.watch import Watcher

ADDRESS = Address("127.0.0.1", 80)
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def frame(offset: int, kind: str = "delta", more: str = '"d":"x"', events: int = 1) -> bytes:
    last = offset + events - 1
    return chunk(f'id: e-{last}\nevent: {kind}\ndata: {{"o":{offset},"n":{events},{more}}}\n\n'.encode())


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


END = '"state":"finished","usage":{"completion_tokens":3}'


def fed(watcher: Watcher, *frames: bytes) -> Watcher:
    watcher.question()
    watcher.feed(HEAD, 0)
    for now, each in enumerate(frames, 1):
        watcher.feed(each, now)
    return watcher


def test_a_log_is_read_to_its_end() -> None:
    """Deltas are counted, also folded ones; the end has the tokens."""
    watcher = fed(Watcher(ADDRESS, "g"), frame(0, "opened"), frame(1, events=2), frame(3), frame(4, "end", END))

    assert (watcher.ended, watcher.question(), watcher.outcome.error) == (True, None, None)
    assert (watcher.outcome.events, watcher.outcome.tokens, watcher.outcome.first) == (2, 3, 2)


def test_after_a_cut_it_goes_on_behind_what_it_saw() -> None:
    """An event that was read in part is asked for again."""
    watcher = fed(Watcher(ADDRESS, "g"), frame(0), frame(1)[:20])
    watcher.cut()
    again = watcher.question()
    watcher.feed(HEAD + frame(1) + frame(2, "end", END), 9)

    assert again is not None and b"last-event-id: e-0\r\n" in again
    assert (watcher.outcome.error, watcher.outcome.cuts, watcher.outcome.events) == (None, 1, 2)


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([frame(0), frame(2)], "lost"),
        ([frame(0), frame(0)], "doubled"),
        ([frame(0, "end", '"state":"failed","error":{"code":"engine_died"}')], "engine_died"),
        ([frame(0, "end", '"state":"canceled"')], "canceled"),
        ([chunk(b'event: cut\ndata: {"code":"slow_reader","retry":true}\n\n'), b"0\r\n\r\n"], "slow_reader"),
        ([frame(0)], "cut_off"),
    ],
)
def test_what_went_wrong_is_named(frames: list[bytes], error: str) -> None:
    """By the server's code, or by what is missing."""
    watcher = fed(Watcher(ADDRESS, "g"), *frames)
    if not watcher.ended:
        watcher.lost(abruptly=False)

    assert (watcher.outcome.error, watcher.question()) == (error, None)


def test_a_log_that_is_not_there_is_an_error() -> None:
    """By its code."""
    watcher = Watcher(ADDRESS, "g")
    watcher.feed(b'HTTP/1.1 404 No\r\n\r\n{"error":{"code":"unknown_generation"}}', 1)
    watcher.lost(abruptly=False)

    assert watcher.outcome.error == "404 unknown_generation"


def test_who_leaves_reads_no_further() -> None:
    """And asks no more."""
    watcher = fed(Watcher(ADDRESS, "g", Harm(leave_after=1)), frame(0), frame(1))

    assert (watcher.ended, watcher.outcome.left, watcher.question()) == (True, "canceled", None)

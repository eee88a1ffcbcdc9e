"""HTTP is read the same however it was cut: into chunks by the server, into reads by the network."""

from __future__ import annotations

import random

import pytest

from loadtest.stream import Answer

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(chance: random.Random, body: bytes) -> bytes:
    """Cut it anywhere; some chunks say more than their size."""
    sent, start = HEAD, 0
    while start < len(body):
        piece = body[start : start + chance.randint(1, 12)]
        sent += b"%x%b\r\n%b\r\n" % (len(piece), chance.choice([b"", b";said=1"]), piece)
        start += len(piece)
    return sent + b"0\r\n\r\n"


@pytest.mark.parametrize("seed", range(200))
def test_events_are_the_same_however_they_were_cut(seed: int) -> None:
    """Within an event, between its two line ends, within a chunk's size."""
    chance = random.Random(seed)
    events = [b"\n".join(chance.choices([b"data: x", b"id: 5", b"{}"], k=3)) for _ in range(chance.randint(0, 6))]
    sent = chunked(chance, b"".join(event + b"\n\n" for event in events))
    answer, read, start = Answer(), [], 0
    while start < len(sent):
        stop = start + chance.randint(1, 30)
        read += answer.feed(sent[start:stop])
        start = stop

    assert (read, answer.ended) == (events, True)


def test_an_answer_of_a_known_length_ends_with_it() -> None:
    """Whatever its status."""
    for status in (200, 404):
        answer = Answer()
        answer.feed(b"HTTP/1.1 %d Told\r\nContent-Length: 4\r\n\r\nab" % status)
        assert not answer.ended
        answer.feed(b"cd")
        assert answer.ended


def test_another_protocol_begins_behind_the_head() -> None:
    """However it arrives."""
    answer = Answer()

    assert [answer.upgraded(data) for data in (b"HTTP/1.1 101 Yes\r\n", b"\r\nfirst", b"next")] == [
        None,
        b"first",
        b"next",
    ]

"""What a read brought: whole frames, the offsets they hold, and what is left for the next read."""

from __future__ import annotations

import math

from loadtest.fanout.frames import piece

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1d\r\nretry: 2339\n: open gen_1 epoch=k from=0\n\n\r\n"


def chunk(offset: int, tokens: int = 1, kind: str = "delta", text: str = "x") -> bytes:
    data = b'{"o":%d,"n":%d,"c":0,"d":"%b"}' % (offset, tokens, text.encode())
    frame = b"id: k-%d\nevent: %b\ndata: %b\n\n" % (offset + tokens - 1, kind.encode(), data)
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def test_a_read_is_the_events_of_its_frames() -> None:
    came = piece(chunk(4) + chunk(5, 3) + chunk(8, kind="end"))

    assert (came.frames, came.first, came.next, came.ended, came.fault, came.rest) == (3, 4, 9, True, None, b"")


def test_a_head_is_no_frame() -> None:
    came = piece(HEAD)

    assert came.opened and (came.frames, came.first, came.rest) == (0, -1, b"")


def test_what_is_not_whole_is_left_for_the_next_read() -> None:
    data = chunk(0) + chunk(1)
    for cut in range(len(data)):
        first = piece(data[:cut])
        second = piece(first.rest + data[cut:])
        assert first.frames + second.frames == 2 and max(first.next, second.next) == 2
        assert not first.frames or not second.frames or second.first == first.next


def test_a_gap_and_a_repetition_are_faults() -> None:
    assert piece(chunk(0) + chunk(2)).fault == "lost"
    assert piece(chunk(0, 2) + chunk(1)).fault == "doubled"
    assert piece(b'event: cut\ndata: {"code":"draining"}\n\n').fault == "cut"


def test_the_stamp_is_that_of_the_oldest_token() -> None:
    assert piece(chunk(0, 2, text=" 12.5 13.5") + chunk(2, text=" 14.5")).stamp == 12.5
    assert math.isnan(piece(chunk(0, text=" 2d7116.0.1")).stamp)

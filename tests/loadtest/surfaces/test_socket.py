"""A generation over a socket, frame by frame."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.address import Address
from loadtest.plan import Harm
from loadtest.surfaces import frames
from loadtest.surfaces.frames import CLOSE, PING, PONG, Frames, frame
from loadtest.surfaces.socket import Socket

ADDRESS = Address("127.0.0.1", 80)
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"


def said(**message: Any) -> bytes:
    return sent(json.dumps(message, separators=(",", ":")).encode())


def sent(payload: bytes, kind: int = frames.TEXT) -> bytes:
    """A server's frame: as a client's, without a mask."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([0x80 | kind]) + length + payload


def event(kind: str, offset: int, events: int = 1, **more: Any) -> bytes:
    return said(id="a", t=kind, o=offset, n=events, **more)


ATTACHED = {"t": "attached", "id": "a", "generation": "gen_1", "epoch": "e", "from": 0, "tail": 0}
END: dict[str, Any] = {"state": "finished", "usage": {"completion_tokens": 2}}


def opened(harm: Harm | None = None) -> Socket:
    socket = Socket(ADDRESS, {"model": "demo"}, harm or Harm())
    assert b"upgrade: websocket" in (socket.question() or b"")
    asked = socket.feed(UPGRADED, 0)
    assert json.loads(asked[6:])["t"] == "create"
    socket.feed(said(**ATTACHED), 0)
    return socket


def test_an_answer_is_the_same_however_the_network_cuts_it() -> None:
    """Byte by byte, deltas, tokens and the end are found."""
    socket = opened()
    whole = event("opened", 0) + event("delta", 1, d="x" * 200) + event("delta", 2, 3) + event("end", 5, **END)
    for now, byte in enumerate(whole):
        socket.feed(bytes([byte]), now)

    assert (socket.ended, socket.question()) == (True, None)
    assert (socket.outcome.events, socket.outcome.tokens, socket.outcome.error) == (2, 2, None)


def test_who_leaves_says_so_and_hears_of_the_end() -> None:
    """Once; deltas that were under way are read."""
    socket = opened(Harm(leave_after=1))
    answers = [socket.feed(event("delta", offset), offset) for offset in range(3)]
    socket.feed(event("end", 3, state="canceled"), 4)

    assert [json.loads(answer[6:])["t"] for answer in answers if answer] == ["cancel"]
    assert (socket.outcome.left, socket.outcome.error) == ("canceled", None)


def test_after_a_cut_it_attaches_behind_what_it_saw() -> None:
    """On another socket, and nothing is missing."""
    socket = opened(Harm(cut_after=100))
    socket.feed(event("delta", 0) + event("delta", 1)[:9], 1)
    socket.cut()
    socket.question()
    attach = socket.feed(UPGRADED, 2)
    socket.feed(said(**ATTACHED) + event("delta", 1) + event("end", 2, **END), 3)

    assert json.loads(attach[6:]) == {"t": "attach", "id": "a", "generation": "gen_1", "after": "e-0"}
    assert (socket.outcome.cuts, socket.outcome.left, socket.outcome.error) == (1, None, None)


@pytest.mark.parametrize(
    ("arrived", "error"),
    [
        (event("delta", 0) + event("delta", 2), "lost"),
        (event("delta", 0) + event("delta", 0), "doubled"),
        (event("end", 0, state="failed", error={"code": "engine_died"}), "engine_died"),
        (event("end", 0, state="canceled"), "canceled"),
        (said(t="error", id="a", code="unknown_model"), "unknown_model"),
        (sent((4008).to_bytes(2, "big"), CLOSE), "closed 4008"),
        (sent(b"", CLOSE), "closed 1005"),
        (event("delta", 0), "cut_off"),
    ],
)
def test_what_went_wrong_is_named(arrived: bytes, error: str) -> None:
    """By the server's code, or by what is missing."""
    socket = opened()
    socket.feed(arrived, 1)
    if not socket.ended:
        socket.lost(abruptly=False)

    assert (socket.outcome.error, socket.question()) == (error, None)


def test_a_socket_that_is_refused_says_why() -> None:
    """It never becomes one."""
    socket = Socket(ADDRESS, {})
    socket.question()
    socket.feed(b'HTTP/1.1 403 No\r\n\r\n{"error":{"code":"foreign_origin"}}', 1)
    socket.lost(abruptly=False)

    assert socket.outcome.error == "403 foreign_origin"


def test_a_ping_is_answered() -> None:
    """With what it said."""
    assert opened().feed(sent(b"hi", PING), 1) == frame(b"hi", PONG)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_size_are_read_as_they_were_written(size: int) -> None:
    """A client's differ from a server's by a mask alone, which changes nothing here."""
    written = bytearray(frame(b"x" * size))
    masked = 2 if size < 126 else 4 if size < 65_536 else 10
    written[1] &= 0x7F
    del written[masked : masked + 4]

    assert Frames().feed(bytes(written)) == [(frames.TEXT, b"x" * size)]

"""Readers in one loop: what each got is known, whatever way it came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadtest.address import Address
from loadtest.fanout.readers import Readers
from loadtest.servers import ServerError
from tests.loadtest.fanout.test_frames import HEAD, chunk


@contextmanager
def answering(*answers: bytes) -> Iterator[Address]:
    """A server that gives each connection its answer, and closes it."""

    def answer() -> None:
        for each in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(each)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield Address(*listener.getsockname())
        finally:
            thread.join(10)


def test_all_get_all_of_it() -> None:
    whole = HEAD + chunk(0, 2) + chunk(2, kind="end")
    other = HEAD + chunk(0) + chunk(1) + chunk(2, kind="end")
    with answering(whole, other) as address, Readers(address, "/", 2) as readers:
        readers.join(5)
        assert readers.wait(lambda reader: reader.ended, 5)

    assert (readers.frames, readers.events, readers.ends, dict(readers.faults)) == (5, 6, {3}, {})


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (HEAD + chunk(0), "cut_off"),
        (HEAD + chunk(1, kind="end"), "lost"),
        (HEAD + chunk(0) + chunk(0, kind="end"), "doubled"),
    ],
)
def test_who_does_not_get_everything_once_is_counted(answer: bytes, fault: str) -> None:
    with answering(answer) as address, Readers(address, "/", 1) as readers:
        readers.join(5)
        assert readers.wait(lambda reader: reader.ended, 5)

    assert dict(readers.faults) == {fault: 1}


def test_a_refusal_is_told() -> None:
    refusal = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
    told = pytest.raises(ServerError, match=r"0 of 1 .* 503 Busy")
    with answering(refusal) as address, Readers(address, "/", 1) as readers, told:
        readers.join(0.2)


def test_lags_are_noted_only_when_asked_for() -> None:
    with answering(HEAD + chunk(0, text=" 0.5") + chunk(1, kind="end")) as address, Readers(address, "/", 1) as readers:
        readers.join(5)
        assert readers.wait(lambda reader: reader.ended, 5) and readers.lags is None

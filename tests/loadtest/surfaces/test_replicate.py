"""A prediction is begun, read, and canceled or gone on with, each on a connection of its own."""

from __future__ import annotations

import json

import pytest

from loadtest.address import Address
from loadtest.plan import Harm
from loadtest.surfaces.replicate import Prediction

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
OUTPUTS = [b"event: output\nid: e-%d\ndata:  x\n\n" % offset for offset in (2, 3)]
DONE = b"event: done\nid: e-4\ndata: {}\n\n"


def answered(body: bytes, status: int = 201) -> bytes:
    return b"HTTP/1.1 %d Told\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def begun(harm: Harm | None = None) -> Prediction:
    prediction = Prediction(Address("127.0.0.1", 80), "acme/demo", {"max_tokens": 2}, harm or Harm())
    assert b"POST /replicate/v1/models/acme/demo/predictions " in (prediction.question() or b"")
    urls = {"stream": "http://elsewhere.example/replicate/v1/streams/s", "cancel": "http://elsewhere.example/c"}
    prediction.feed(answered(json.dumps({"urls": urls}).encode()), 0)
    assert prediction.ended
    return prediction


def test_its_stream_is_read_from_this_machine() -> None:
    """Whatever host the server names."""
    prediction = begun()
    asked = prediction.question() or b""
    prediction.feed(STREAM + b"".join(map(chunk, [b": open\n\n", *OUTPUTS, DONE])), 1)

    assert asked.startswith(b"GET /replicate/v1/streams/s HTTP/1.1\r\nhost: 127.0.0.1:80\r\n")
    assert (prediction.outcome.events, prediction.outcome.error, prediction.question()) == (2, None, None)


def test_who_leaves_cancels_it() -> None:
    """With a call of its own, whose answer is waited for."""
    prediction = begun(Harm(leave_after=1))
    prediction.question()
    prediction.feed(STREAM + chunk(OUTPUTS[0]), 1)
    asked = prediction.question() or b""
    prediction.feed(answered(b"{}", 200), 2)

    assert asked.startswith(b"POST /c ")
    assert (prediction.outcome.left, prediction.outcome.error, prediction.question()) == ("canceled", None, None)


def test_after_a_cut_it_goes_on_behind_what_it_saw() -> None:
    """By the id of the last event."""
    prediction = begun()
    prediction.question()
    prediction.feed(STREAM + chunk(OUTPUTS[0]), 1)
    prediction.cut()
    asked = prediction.question() or b""
    prediction.feed(STREAM + chunk(OUTPUTS[1]) + chunk(DONE), 2)

    assert b"last-event-id: e-2\r\n" in asked
    assert (prediction.outcome.cuts, prediction.outcome.left, prediction.outcome.error) == (1, None, None)


def test_cut_before_it_was_begun_it_is_not_gone_on_with() -> None:
    """Nobody knows where."""
    prediction = Prediction(Address("127.0.0.1", 80), "demo", {})
    prediction.question()
    prediction.cut()

    assert (prediction.outcome.left, prediction.question()) == ("cut", None)


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ([OUTPUTS[1], OUTPUTS[0]], "doubled"),
        ([b'event: error\nid: e-2\ndata: {"detail":"crash"}\n\n', DONE], "error_in_stream"),
        ([b'event: done\nid: e-2\ndata: {"reason":"canceled"}\n\n'], "canceled"),
        (OUTPUTS, "cut_off"),
    ],
)
def test_what_went_wrong_is_named(events: list[bytes], error: str) -> None:
    """As far as this surface says it."""
    prediction = begun()
    prediction.question()
    prediction.feed(STREAM + b"".join(map(chunk, events)), 1)
    if not prediction.ended:
        prediction.lost(abruptly=False)

    assert (prediction.outcome.error, prediction.question()) == (error, None)

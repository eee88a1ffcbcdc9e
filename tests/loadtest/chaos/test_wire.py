"""Answers are read the same, however their bytes come."""

from __future__ import annotations

import pytest

from loadtest.chaos.wire import Frame, Response, request

FRAMES = [Frame("e-0", "opened", '{"o":0,"n":1}'), Frame("e-1", "end", '{"o":1,"n":1}')]
EVENTS = b": open\n\n" + b"".join(f"id: {id}\nevent: {event}\ndata: {data}\n\n".encode() for id, event, data in FRAMES)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    said = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + said + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [7, 50, 1000])
@pytest.mark.parametrize("step", [1, 3, 17, 1000])
def test_events_are_whole_wherever_they_are_torn(size: int, step: int) -> None:
    response, frames = Response(), []
    data = chunked(EVENTS, size)
    for at in range(0, len(data), step):
        frames += response.feed(data[at : at + step])
    assert frames == FRAMES and response.ended


def test_a_stream_without_its_last_chunk_has_not_ended() -> None:
    response = Response()
    assert response.feed(chunked(EVENTS, 20).removesuffix(b"0\r\n\r\n")) == FRAMES
    assert not response.ended


def test_half_an_event_is_none() -> None:
    response = Response()
    whole = chunked(EVENTS, 10_000)
    assert response.feed(whole[: whole.index(b"end")]) == FRAMES[:1]


def test_an_error_is_read_by_its_code() -> None:
    response = Response()
    body = b'{"error":{"code":"draining","retry":true}}'
    response.feed(b"HTTP/1.1 503 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
    assert not response.ended
    response.feed(body[10:])
    assert (response.status, response.code, response.ended) == (503, "draining", True)


@pytest.mark.parametrize("body", [b"", b"Internal Server Error", b"[]", b'{"error":"no"}'])
def test_what_is_no_error_of_ours_has_no_code(body: bytes) -> None:
    response = Response()
    response.feed(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert response.code == "" and response.ended


def test_an_answer_without_a_body_ends_with_its_head() -> None:
    response = Response()
    response.feed(b"HTTP/1.1 204 No Content\r\nx-stream-epoch: e\r\n\r\n")
    assert response.ended and response.headers == {"x-stream-epoch": "e"}


def test_a_request_says_how_long_its_body_is() -> None:
    head, _, body = request("POST", "/v1/streams", {"accept": "x"}, b"{}").partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/streams HTTP/1.1" and body == b"{}"
    assert {b"content-length: 2", b"connection: close", b"accept: x"} <= set(lines)

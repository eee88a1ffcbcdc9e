"""What a connection meets before there is a request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from typing import Any

import pytest

from gateway.connections import Http
from tests.gateway.surfaces.raw import CHAT, line
from tests.serving import serving
from tests.waiting import until


async def answer_to(url: str, sent: bytes, *, more: bytes = b"") -> bytes:
    """Everything the server says to those bytes until it closes the connection."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        try:
            writer.write(sent)
            while more and not reader.at_eof():
                writer.write(more)
                await writer.drain()
                try:
                    async with asyncio.timeout(0.01):
                        return await reader.read()
                except TimeoutError:
                    continue
            return await reader.read()
        finally:
            writer.close()


def error_in(answer: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    return error


async def test_a_connection_that_says_nothing_is_closed_in_silence() -> None:
    async with serving(body_deadline_s=0.2) as server:
        assert await answer_to(server.url, b"") == b""


@pytest.mark.parametrize(
    "begun", [b"GET /healthz HT", b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-a: "]
)
async def test_headers_that_never_end_are_told_so(begun: bytes) -> None:
    async with serving(body_deadline_s=0.2) as server:
        answer = await answer_to(server.url, begun)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert error_in(answer)["code"] == "request_timeout"


async def test_the_deadline_on_headers_holds_for_a_second_request_too() -> None:
    async with serving(body_deadline_s=0.2) as server, line(server) as client:
        await client.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await client.hear(b"ok\n")).startswith(b"HTTP/1.1 200 ")
        await client.send(b"GET /heal")
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_a_request_behind_one_that_runs_is_left_unread_and_the_connection_closed() -> None:
    async with serving("demo=scripted:?tokens=3") as server, line(server) as client:
        await client.post(CHAT)
        await client.post(CHAT)
        answer = await client.rest()
        assert answer.count(b"HTTP/1.1 200 ") == 1
        assert b"connection: close" in answer
        assert server.gateway.running == 0


async def test_who_asks_for_more_and_leaves_is_seen_to_leave() -> None:
    async with serving("demo=scripted:?tokens=1000&token_ms=20") as server, line(server) as client:
        for _ in range(3):
            await client.post(CHAT)
        await until(lambda: server.gateway.running == 1)
        client.drop()
        await until(lambda: server.gateway.running == 0)


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        pytest.param(b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 40_000, 1009, id="fragments"),
        pytest.param(b"\x89\x80\x00\x00\x00\x00" * 40_000, 1008, id="pings"),
    ],
)
async def test_a_flood_of_empty_frames_ends_its_socket_and_holds_up_nobody(flood: bytes, code: int) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        writer.write(
            b"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        async with asyncio.timeout(10):
            await reader.readuntil(b"\r\n\r\n")
            loop = asyncio.get_running_loop()
            began = loop.time()
            writer.write(flood)
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := await reader.read(65536):
                    said += piece
            took = loop.time() - began
        assert code.to_bytes(2, "big") in said[-40:]
        # Parsing all of it takes more than a second.
        assert took < 1
        writer.close()


async def test_headers_without_end_are_refused_by_size() -> None:
    async with serving() as server:
        answer = await answer_to(server.url, b"GET / HTTP/1.1\r\n", more=b"x-a: " + b"a" * 8000 + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert error_in(answer)["code"] == "headers_too_large"


async def test_garbage_is_refused_in_the_shape_of_every_other_refusal() -> None:
    async with serving() as server:
        answer = await answer_to(server.url, b"\x16\x03\x01 not http \r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert error_in(answer)["code"] == "invalid_request"


async def test_garbage_behind_a_request_is_not_answered_in_the_middle_of_its_answer() -> None:
    async with serving("demo=scripted:?token_ms=20&tokens=10") as server:
        asked = json.dumps({**CHAT, "stream": True}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(asked)
        async with line(server) as client:
            await client.send(head + asked)
            await client.hear(b"content")
            await client.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            rest = await client.hear(b"[DONE]")
            assert b"HTTP/1.1 400" not in rest


async def test_a_closed_connection_is_freed_without_the_collector() -> None:
    async with serving() as server:
        gc.collect()
        gc.disable()
        try:
            async with line(server) as client:
                await client.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                await client.hear(b"ok\n")
                assert connections() == 1
            await until(lambda: connections() == 0)
        finally:
            gc.enable()


def connections() -> int:
    return sum(type(one) is Http for one in gc.get_objects())


async def test_a_slow_connection_disturbs_no_other() -> None:
    async with serving(body_deadline_s=1) as server:
        slow = asyncio.create_task(answer_to(server.url, b"GET / HT"))
        answer = await answer_to(server.url, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert (await slow).startswith(b"HTTP/1.1 408 ")

"""The porter: files to engines, from the store, the network and data URLs, and from engines into the store."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from engines.base import Kept
from engines.errors import EngineError
from engines.porter import Opened, Porter
from gateway.errors import HearthError
from gateway.files.data_urls import as_data_url
from gateway.files.file import mark
from gateway.files.porter import Bounds, FilePorter
from gateway.files.store import Facts, Files
from gateway.outgoing import Outgoing
from tests.gateway.files.contract import some
from tests.turning import Turned

MOST = 4 << 20


@dataclass
class Bench:
    files: Files
    clock: Turned
    porter: Porter
    url: str
    asked: list[str]


async def all_of(opened: Opened) -> bytes:
    return b"".join([piece async for piece in opened.chunks])


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    asked: list[str] = []

    async def give(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        what = request.match_info["what"]
        if what == "silent":
            assert request.transport is not None
            request.transport.close()
        if what in ("hang", "silent"):
            await asyncio.Event().wait()
        if what.startswith("hop"):
            raise web.HTTPFound(f"/hop{int(what[3:]) - 1}" if what != "hop0" else "/a%20cat.png")
        if what == "inside":
            raise web.HTTPFound("http://10.0.0.1/secret")
        if what == "file":
            raise web.HTTPFound("file:///etc/passwd")
        if what == "missing":
            raise web.HTTPNotFound
        if what == "zipped":
            return web.Response(body=b"x", headers={"content-encoding": "gzip"})
        if what in ("large", "endless", "cut"):
            response = web.StreamResponse()
            if what != "endless":
                response.content_length = MOST if what == "cut" else MOST + 1
            await response.prepare(request)
            for _ in range(1 if what == "cut" else 100):
                await response.write(bytes(64 << 10))
            if what == "cut":
                assert request.transport is not None
                request.transport.abort()
            return response
        return web.Response(body=b"meow", content_type="image/png")

    app = web.Application()
    app.router.add_get("/{what}", give)
    server = TestServer(app)
    await server.start_server()
    outgoing = Outgoing([ip_network("127.0.0.0/8")])
    await outgoing.begin()
    clock = Turned()
    files = Files(str(tmp_path / "files"), clock, upload_s=100, output_s=10)

    async def owner_of(generation: str) -> str:
        if generation != "gen_1":
            raise HearthError("unknown_generation")
        return "me"

    try:
        yield Bench(
            files, clock, FilePorter(files, outgoing, owner_of, Bounds(MOST, 1)), str(server.make_url("/")), asked
        )
    finally:
        await outgoing.close()
        await server.close()


async def test_a_models_file_is_kept_for_whoever_asked(bench: Bench) -> None:
    kept = await bench.porter.keep("gen_1", "../out.png", "image/png", some(b"p", b"ng"))
    assert (kept.name, kept.content_type, kept.size) == ("out.png", "image/png", 3)
    file = await bench.files.of(kept)
    assert (file.owner, file.generation) == (mark("me"), "gen_1")
    assert bench.files.expires(file.id) == pytest.approx(bench.clock.now + 10, abs=0.01)
    async with bench.porter.open(kept) as opened:
        assert opened[:3] == ("out.png", "image/png", 3)
        assert await all_of(opened) == b"png"
    assert await as_data_url(bench.files, kept, 3) == "data:image/png;base64,cG5n"
    with pytest.raises(HearthError, match="file_too_large"):
        await as_data_url(bench.files, kept, 2)


async def test_a_models_file_that_cannot_be_kept_is_the_engines_failure(bench: Bench) -> None:
    with pytest.raises(EngineError) as too_large:
        await bench.porter.keep("gen_1", "x", "a/b", some(bytes(MOST + 1)))
    assert too_large.value.code == "engine_failed" and "4194304 bytes" in too_large.value.message
    with pytest.raises(EngineError) as unknown:
        await bench.porter.keep("gen_2", "x", "a/b", some(b"x"))
    assert unknown.value.code == "engine_failed"


async def test_a_file_whose_time_is_over_is_told_of_by_its_name(bench: Bench) -> None:
    file = await bench.files.keep(mark("me"), "upload", some(b"x"), 10, lambda: Facts("a.wav"))
    bench.clock.turn(101)
    for kept in (file.kept, Kept("x", "a.wav", "t", 1)):
        with pytest.raises(EngineError, match=r"The file 'a.wav' is no longer kept") as gone:
            async with bench.porter.open(kept):
                pass
        assert gone.value.code == "invalid_request"


async def test_a_file_is_fetched_behind_redirects(bench: Bench) -> None:
    async with bench.porter.fetch(f"{bench.url}hop4?token=secret") as opened:
        assert opened[:3] == ("a cat.png", "image/png", 4)
        assert await all_of(opened) == b"meow"
    assert bench.asked == ["/hop4?token=secret", "/hop3", "/hop2", "/hop1", "/hop0", "/a%20cat.png"]


@pytest.mark.parametrize(
    ("path", "told"),
    (
        ("hop5", "leads to more than 5"),
        ("inside", "10.0.0.1 is not a public address"),
        ("file", "Only http and https"),
        ("missing", "127.0.0.1 answers with 404"),
        ("zipped", "compressed"),
        ("large", "more than 4194304 bytes"),
        ("endless", "more than 4194304 bytes"),
        ("cut", "127.0.0.1 did not give it, as their answer broke off"),
        ("silent", "127.0.0.1 did not give it, as they closed the connection without an answer"),
        ("hang", "127.0.0.1 did not give it, as they took too long"),
    ),
)
async def test_what_cannot_be_fetched_is_told_of_without_its_secrets(bench: Bench, path: str, told: str) -> None:
    with pytest.raises(EngineError, match=told) as refused:
        async with bench.porter.fetch(f"{bench.url}{path}?token=secret") as opened:
            await all_of(opened)
    assert refused.value.code == "invalid_request" and "secret" not in refused.value.message


async def test_what_goes_wrong_on_the_way_is_told_in_words(bench: Bench, unused_tcp_port: int) -> None:
    for url, told in (
        (bench.url.replace("http:", "https:"), "TLS with them failed"),
        (f"http://127.0.0.1:{unused_tcp_port}/", "they cannot be reached: Connection refused"),
    ):
        with pytest.raises(EngineError) as refused:
            async with bench.porter.fetch(url):
                pass
        assert refused.value.message.endswith(f" did not give it, as {told}.")


@pytest.mark.parametrize(
    "url", ("http://10.0.0.1/", "http://[::1]:1/", "ftp://example.com/", "http://", "x", "http://a:b:c/")
)
async def test_what_may_not_be_fetched_is_not(bench: Bench, url: str) -> None:
    with pytest.raises(EngineError) as refused:
        async with bench.porter.fetch(url):
            pass
    assert refused.value.code == "invalid_request"


CONTENT = os.urandom(3_000_001)


@pytest.mark.parametrize(
    ("url", "name", "kind", "content"),
    (
        ("data:image/png;base64,cG5n", "file.png", "image/png", b"png"),
        ("DATA:image/png;BASE64,cG5n", "file.png", "image/png", b"png"),
        ("data:,a%20b", "file.txt", "text/plain", b"a b"),
        ("data:text/plain;charset=utf-8;base64,w6Q", "file.txt", "text/plain;charset=utf-8", "ä".encode()),
        ("data:audio/x-unheard-of;base64,", "file", "audio/x-unheard-of", b""),
        ("data:image/png;base64,cG\r\n5n", "file.png", "image/png", b"png"),
        (f"data:;base64,{b64encode(CONTENT).decode()}", "file.txt", "text/plain", CONTENT),
        (f"data:a/b;base64,{urlsafe_b64encode(CONTENT).decode()}", "file", "a/b", CONTENT),
        (f"data:a/b;base64,{b64encode(CONTENT).decode().rstrip('=')}", "file", "a/b", CONTENT),
    ),
    ids=range(9),
)
async def test_a_data_url_is_the_file_in_it(bench: Bench, url: str, name: str, kind: str, content: bytes) -> None:
    async with bench.porter.fetch(url) as opened:
        assert (opened.name, opened.content_type) == (name, kind)
        assert await all_of(opened) == content


@pytest.mark.parametrize(
    ("url", "told"),
    (
        ("data:a/b;base64,ä", "cannot be read"),
        ("data:a/b;base64,a", "cannot be read"),
        ("data:a/b;base64,ab=c", "cannot be read"),
        (f"data:a/b;base64,{b64encode(bytes(MOST + 1)).decode()}", "more than 4194304 bytes"),
        ("data:a/b," + "x" * (MOST + 1), "more than 4194304 bytes"),
    ),
    ids=range(5),
)
async def test_a_data_url_that_is_none_or_too_large_is_refused(bench: Bench, url: str, told: str) -> None:
    with pytest.raises(EngineError, match=told) as refused:
        async with bench.porter.fetch(url) as opened:
            await all_of(opened)
    assert refused.value.code == "invalid_request" and len(refused.value.message) < 200

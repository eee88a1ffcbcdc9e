"""The page's files as the server hands them out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.surfaces import failures, page
from tests.serving import serving


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with serving() as server, httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def test_the_page_is_at_the_root_and_what_it_loads_beside_it(client: httpx.AsyncClient) -> None:
    root = await client.get("/")
    assert root.status_code == 200
    assert root.headers["content-type"] == "text/html; charset=utf-8"
    assert (await client.get("/static/index.html")).content == root.content
    script = await client.get("/static/page.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.content == (page.STATIC / "page.js").read_bytes()
    assert (await client.get("/static/icon.svg")).headers["content-type"].startswith("image/svg+xml")


async def test_nothing_on_the_page_comes_from_elsewhere_and_nobody_frames_it(client: httpx.AsyncClient) -> None:
    for path in ("/", "/static/page.js"):
        headers = (await client.get(path)).headers
        policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"


async def test_a_file_is_sent_again_only_when_it_has_changed(client: httpx.AsyncClient) -> None:
    first = await client.get("/static/page.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = await client.get("/static/page.js", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-security-policy" in again.headers
    assert (await client.get("/static/page.js", headers={"if-none-match": '"other"'})).status_code == 200


@pytest.mark.parametrize(
    "path", ["nothing.js", "", "../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "%00", "client"]
)
async def test_nothing_else_is_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/static/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_the_page_takes_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.head("/")).status_code == 200
    assert (await client.post("/")).status_code == 405


async def test_a_server_without_a_page_serves_all_the_rest(tmp_path: Path) -> None:
    app = Starlette(routes=page.routes(tmp_path / "nothing"), exception_handlers=failures.HANDLERS)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        assert (await client.get("/")).status_code == 404

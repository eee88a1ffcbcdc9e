"""hearth cache: what is kept, and letting go of it."""

from __future__ import annotations

import json

import httpx
import pytest

from gateway.__main__ import main
from tests.gateway.cli.keyboard import hearth
from tests.gateway.surfaces.raw import CHAT
from tests.serving import serving
from tests.waiting import until


async def test_what_is_kept_is_shown_and_let_go_of() -> None:
    async with serving("demo=scripted:") as served, httpx.AsyncClient(base_url=served.url) as client:
        await client.post("/v1/chat/completions", json={**CHAT, "temperature": 0})
        await until(lambda: served.gateway.running == 0)

        async def cache(*words: str) -> str:
            status, said, complaint = await hearth("cache", *words, "--url", served.url)
            assert (status, complaint) == (0, "")
            return said

        assert (await cache("show")).startswith("answers: 1, ")
        assert json.loads(await cache("show", "--json"))["entries"] == 1
        assert await cache("purge", "--model", "other") == "answers let go of: 0\n"
        assert await cache("purge", "--all") == "answers let go of: 1\n"
        assert (await cache("show")).startswith("answers: 0, ")


@pytest.mark.parametrize("words", [["purge"], ["show", "--all"], ["show", "--model", "demo"]])
def test_what_is_not_meant_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", *words]) == 2
    assert capsys.readouterr().err.startswith("hearth cache: ")

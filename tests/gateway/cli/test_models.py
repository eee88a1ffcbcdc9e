"""hearth models."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.cli.models import table
from tests.gateway.cli.keyboard import hearth
from tests.gateway.surfaces.house import house
from tests.serving import serving


async def test_every_model_has_a_line_with_its_state(tmp_path: Path) -> None:
    models = ("demo=scripted:?context_length=99", "broken-one=scripted:?boot_fails=true")
    async with house(tmp_path, *models) as here:
        async for _ in here.gateway.pool.reach("demo"):
            pass
        key = await here.key()
        status, said, _ = await hearth("models", "--url", here.url, "--key", key["secret"])
        assert status == 0
        assert said.splitlines() == [
            "demo        warm      99 tokens of context",
            "broken-one  broken    The script says that the boot fails.",
        ]


async def test_json_is_what_the_server_says() -> None:
    async with serving() as served:
        _, said, _ = await hearth("models", "--url", served.url, "--json")
        assert [model["id"] for model in json.loads(said)] == ["demo"]


async def test_where_nobody_serves_it_says_so() -> None:
    status, _, told = await hearth("models", "--url", "http://127.0.0.1:1")
    assert status == 1 and "Start a server with `hearth serve`" in told


def test_models_of_another_server_have_no_state() -> None:
    assert table([{"id": "other"}]) == ["other"]
    assert table([]) == ["no models"]

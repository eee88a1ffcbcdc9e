"""Real predictors behind /predictions: what nobody has looked at yet, and what was changed meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.cog.engine import CogEngine
from tests.serving import serving

FOLDERS = Path(__file__).parents[3] / "engines" / "cog" / "folders"

pytestmark = pytest.mark.timeout(60)


@asynccontextmanager
async def client_of(tmp_path: Path, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server of a copy of that folder, which is cold."""
    folder = tmp_path / name
    shutil.copytree(FOLDERS / name, folder)
    model = f"{name}=cog:{folder}?python={sys.executable}"
    async with (
        serving(model, preload=False, cog_folder=tmp_path / "cog") as served,
        httpx.AsyncClient(base_url=f"{served.url}/replicate/v1", timeout=30) as client,
    ):
        yield client


async def predict(client: httpx.AsyncClient, name: str, version: str | None = None, **input: Any) -> dict[str, Any]:
    """The prediction once it has ended."""
    body = {"version": version or f"hearth/{name}", "input": input}
    told = await client.post("/predictions", json=body, headers={"prefer": "wait=60"})
    assert told.status_code == 201, told.text
    answer: dict[str, Any] = told.json()
    return answer


async def version_of(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    version: dict[str, Any] = (await client.get(f"/models/hearth/{name}")).json()["latest_version"]
    return version


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has looked at any predictor before it boots."""

    async def look(engine: CogEngine) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(CogEngine, "look", look)


@pytest.mark.usefixtures("unseen")
async def test_own_files_come_to_a_predictor_that_nobody_has_looked_at(tmp_path: Path) -> None:
    async with client_of(tmp_path, "painter") as client:
        file = (await client.post("/files", files={"content": ("a.txt", b"hello", "text/plain")})).json()
        told = await predict(client, "painter", text=file["urls"]["get"])
        assert told["status"] == "succeeded", told["error"]
        assert (await client.get(told["output"])).content == b"HELLO"


@pytest.mark.usefixtures("unseen")
async def test_what_it_does_not_take_is_told_by_name_once_it_has_booted(tmp_path: Path) -> None:
    async with client_of(tmp_path, "speaker") as client:
        told = await predict(client, "speaker", prompt="http://10.0.0.1/stays-text", max_tokens=0)
        assert told["status"] == "failed"
        assert "max_tokens" in told["error"]
        told = await predict(client, "speaker", prompt="http://10.0.0.1/stays-text", max_tokens=1)
        assert told["status"] == "succeeded"
        assert "http://10.0.0.1/stays-text" in told["logs"]


async def test_what_a_cold_predictor_takes_is_known_soon_after_the_start(tmp_path: Path) -> None:
    async with client_of(tmp_path, "speaker") as client:
        async with asyncio.timeout(30):
            while not (inputs := await _inputs(client)):
                pass
        assert "prompt" in inputs
        body = {"version": "hearth/speaker", "input": {"prompt": "x", "max_tokens": 0}}
        assert (await client.post("/predictions", json=body)).status_code == 422


async def test_a_version_is_never_answered_by_code_that_came_later(tmp_path: Path) -> None:
    async with client_of(tmp_path, "lister") as client:
        version = (await version_of(client, "lister"))["id"]
        code = tmp_path / "lister" / "predict.py"
        code.write_text(code.read_text().replace("str(number)", "str(-number)"))
        told = await predict(client, "lister", version, count=2)
        assert told["status"] == "failed"
        assert "another version" in told["error"]
        async with asyncio.timeout(10):
            while (newer := (await version_of(client, "lister"))["id"]) == version:
                pass
        assert (await predict(client, "lister", newer, count=2))["output"] == ["0", "-1"]


async def _inputs(client: httpx.AsyncClient) -> dict[str, Any]:
    schema = (await version_of(client, "speaker"))["openapi_schema"]
    inputs: dict[str, Any] = schema["components"]["schemas"]["Input"]["properties"]
    return inputs

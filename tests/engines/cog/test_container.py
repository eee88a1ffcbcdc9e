"""A server that speaks Cog's protocol and is not ours."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from engines.base import Delta, Output, Prompt
from engines.cog.engine import CogEngine
from engines.errors import EngineError
from engines.registry import ModelSource, build, parse
from tests.engines.cog.carrier import MemoryPorter
from tests.waiting import until

DOCUMENT = {
    "paths": {"/predictions": {"post": {}}},
    "components": {
        "schemas": {
            "Input": {"properties": {"picture": {"type": "string", "format": "uri"}}},
            "Output": {"title": "Output"},
        }
    },
}


class Container:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.busy = 0
        self.status = "READY"
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self.password: str | None = None

    async def health(self, request: web.Request) -> web.Response:
        if self.password is not None:
            _, _, written = request.headers.get("authorization", "").partition(" ")
            if base64.b64decode(written).decode().partition(":")[2] != self.password:
                return web.Response(status=401)
        return web.json_response({"status": self.status, "setup": {"status": "", "logs": "what it printed"}})

    async def document(self, request: web.Request) -> web.Response:
        return web.json_response(DOCUMENT)

    async def predict(self, request: web.Request) -> web.Response:
        if self.busy:
            self.busy -= 1
            return web.json_response({"error": "At capacity", "status": "failed"}, status=409)
        asked = await request.json()
        self.asked.append(asked)
        return web.json_response(
            {"id": asked["id"], "status": "succeeded", "output": ["a", "b"], "logs": "", "metrics": {}}
        )


@pytest_asyncio.fixture
async def container() -> AsyncIterator[Container]:
    made = Container()
    app = web.Application()
    app.router.add_get("/health-check", made.health)
    app.router.add_get("/openapi.json", made.document)
    app.router.add_post("/predictions", made.predict)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def engine(container: Container, make: Callable[..., CogEngine]) -> AsyncIterator[CogEngine]:
    engine = make(container.url)
    await engine.start(lambda stage: None)
    yield engine
    await engine.close()


async def predict(engine: CogEngine, **inputs: Any) -> list[Any]:
    async with asyncio.timeout(10):
        return [chunk async for chunk in engine.generate("it", Prompt(inputs=inputs))]


async def test_one_that_does_not_stream_is_answered_whole(engine: CogEngine) -> None:
    assert (await predict(engine))[1:] == [Output(["a", "b"]), Delta(0, finish="stop")]


async def test_one_that_others_keep_busy_is_asked_again(engine: CogEngine, container: Container) -> None:
    container.busy = 1
    assert (await predict(engine))[-1] == Delta(0, finish="stop")


async def test_who_leaves_while_it_is_busy_asks_no_more(engine: CogEngine, container: Container) -> None:
    container.busy = 1
    asking = asyncio.create_task(predict(engine))
    await until(lambda: not container.busy)
    asking.cancel()
    await asyncio.wait([asking])
    await engine.stop()
    assert engine.running == 0
    assert container.asked == []


async def test_a_file_goes_to_it_whole_for_it_cannot_ask_here(
    engine: CogEngine, container: Container, porter: MemoryPorter
) -> None:
    porter.web["http://10.0.0.1/a.txt"] = b"hello"
    await predict(engine, picture="http://10.0.0.1/a.txt")
    assert container.asked[0]["input"] == {"picture": "data:text/plain;base64,aGVsbG8="}


async def test_one_that_is_not_well_fails_its_beat(engine: CogEngine, container: Container) -> None:
    await engine.beat()
    container.status = "UNHEALTHY"
    with pytest.raises(EngineError) as failed:
        await engine.beat()
    assert failed.value.code == "engine_failed"


async def test_one_whose_setup_failed_says_what_it_printed(
    container: Container, make: Callable[..., CogEngine]
) -> None:
    container.status = "SETUP_FAILED"
    with pytest.raises(EngineError) as failed:
        await make(container.url).start(lambda stage: None)
    assert failed.value.code == "boot_failed"
    assert "what it printed" in failed.value.message


async def test_a_password_in_its_address_is_for_it_alone(container: Container) -> None:
    container.password = "s3cret"
    source = ModelSource("it", "cog", container.url.replace("://", "://me:s3cret@"), {"start_s": "1"})
    [place] = build([source])
    stages: list[str] = []
    await place.engine.start(stages.append)
    assert place.shared == f"it=cog:{container.url}"
    assert stages == [f"waiting for {container.url.removeprefix('http://')}"]
    await place.engine.close()
    container.password = "changed"
    with pytest.raises(EngineError) as failed:
        await place.engine.start(stages.append)
    assert "s3cret" not in failed.value.message + "".join(stages)
    with pytest.raises(EngineError) as wrong:
        parse(f"cog:http://me:s3cret@{container.url}")
    assert "s3cret" not in wrong.value.message

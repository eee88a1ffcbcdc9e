"""A stand-in for Replicate's HTTP API, on a real socket in a test's loop. What it does is set by its attributes."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.engines.replicate.predicting import Running, count, whole, words
from tests.engines.replicate.published import MODELS, Published

TOKEN = "r8_only_for_tests"


class StandIn:
    """One account on Replicate, and the models that everybody may run."""

    def __init__(self) -> None:
        self.url = ""
        self.predictions: list[Running] = []
        self.bodies: list[dict[str, Any]] = []
        """What was posted to begin a prediction, and where."""
        self.paths: list[str] = []
        self.looks = 0
        """How often a prediction was looked at."""
        self.warm = asyncio.Event()
        """Whether the models are up; predictions wait for it."""
        self.warm.set()
        self.word_s = 0.0
        self.most_words = 4096
        """Models say no more, whatever they may."""
        self.endless = False
        """Say the words and then nothing, for ever."""
        self.failure: str | None = None
        """What goes wrong once the words are said."""
        self.refusals: list[Response] = []
        """Answers to the next calls, in their order, instead of what they ask for."""
        self.answering = asyncio.Event()
        """Whether calls that begin a prediction are answered; it begins in any case."""
        self.answering.set()
        self.cut_short = False
        """Break such an answer off in its middle."""
        self.streams_at_all = True
        self.tells_official = True
        """Whether models say that they are official; older answers do not."""
        self.cut_stream_at: int | None = None
        """Break a stream off before this event of it."""
        self.stream_headers: list[dict[str, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [running.input for running in self.predictions]

    def app(self) -> Starlette:
        routes = [
            Route("/v1/account", self._account),
            Route("/v1/predictions", self._predict, methods=["POST"]),
            Route("/v1/models/{owner}/{name}/predictions", self._predict, methods=["POST"]),
            Route("/v1/deployments/{owner}/{name}/predictions", self._predict, methods=["POST"]),
            Route("/v1/predictions/{id}", self._look),
            Route("/v1/predictions/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/v1/models/{owner}/{name}", self._model),
            Route("/v1/models/{owner}/{name}/versions/{version}", self._version),
            Route("/v1/deployments/{owner}/{name}", self._deployment),
            Route("/streams/{id}", self._stream),
        ]
        return Starlette(routes=routes)

    async def close(self) -> None:
        """End every prediction."""
        for running in self.predictions:
            running.end("canceled")
        self.answering.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _denied(self, request: Request) -> Response | None:
        if self.refusals:
            return self.refusals.pop(0)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "token"):
            return problem(401, "Unauthenticated", "You did not pass an authentication token")
        if token != TOKEN:
            return problem(401, "Unauthenticated", "You did not pass a valid authentication token")
        return None

    async def _account(self, request: Request) -> Response:
        return self._denied(request) or JSONResponse({"type": "user", "username": "acme", "name": "Acme"})

    async def _predict(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.paths.append(request.url.path)
        if (denied := self._denied(request)) is not None:
            return denied
        model = _asked(request, body)
        if isinstance(model, Response):
            return model
        if (wrong := _check(model, body["input"])) is not None:
            return wrong
        id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(26))
        running = Running(id, model, {name: value for name, value in body["input"].items() if name in model.inputs})
        self.predictions.append(running)
        told = self._told(running)
        task = asyncio.create_task(self._run(running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self.answering.wait()
        if self.cut_short:
            return StreamingResponse(_once(b"{"), 201, {"Content-Length": "100"})
        return JSONResponse(told, 201, {"Location": told["urls"]["get"]})

    async def _run(self, running: Running) -> None:
        await self.warm.wait()
        if running.ended:
            return
        running.begin()
        said = words(running.input)[: self.most_words]
        for word in said:
            # A word takes that long, unless it is canceled meanwhile.
            with suppress(TimeoutError):
                async with asyncio.timeout(self.word_s):
                    await running.over.wait()
            if running.status != "processing":
                return
            running.say(word)
        if self.endless:
            return
        running.metrics = {"input_token_count": count(running.input), "output_token_count": len(said)}
        if not running.model.streams:
            running.output = whole(running.model, said)
        running.end("failed" if self.failure else "succeeded", self.failure)

    async def _look(self, request: Request) -> Response:
        self.looks += 1
        return self._denied(request) or JSONResponse(self._told(self._held(request)))

    async def _cancel(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        running = self._held(request)
        running.end("aborted" if running.status == "starting" else "canceled")
        return JSONResponse(self._told(running))

    async def _stream(self, request: Request) -> Response:
        self.stream_headers.append(dict(request.headers))
        return StreamingResponse(self._frames(self._held(request)), media_type="text/event-stream")

    async def _frames(self, running: Running) -> AsyncIterator[str]:
        yield ": hi\n\n"
        async for number, event, data in running.stream():
            if number == self.cut_stream_at:
                return
            lines = "".join(f"data: {line}\n" for line in data.split("\n"))
            yield f"event: {event}\nid: 1763629200:{number}\n{lines}\n"

    async def _model(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        model = _named(request)
        return not_found() if model is None else JSONResponse(_as_model(model, self.tells_official))

    async def _version(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        model = _named(request)
        if model is None or model.version != request.path_params["version"]:
            return not_found()
        return JSONResponse(_as_version(model))

    async def _deployment(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        model = _named(request)
        if model is None:
            return not_found()
        owner, name = model.name.split("/")
        hardware = {"hardware": "gpu-t4", "min_instances": 0, "max_instances": 1}
        release = {"number": 1, "model": model.name, "version": model.version, "created_at": "2026-01-01T00:00:00Z"}
        return JSONResponse({"owner": owner, "name": name, "current_release": release | {"configuration": hardware}})

    def _held(self, request: Request) -> Running:
        return next(running for running in self.predictions if running.id == request.path_params["id"])

    def _told(self, running: Running) -> dict[str, Any]:
        here = f"{self.url}/v1/predictions/{running.id}"
        urls = {"get": here, "cancel": f"{here}/cancel", "web": f"{self.url}/p/{running.id}"}
        if running.model.streams and self.streams_at_all:
            urls["stream"] = f"{self.url}/streams/{running.id}"
        return {
            "id": running.id,
            "model": running.model.name,
            "version": running.model.version,
            "status": running.status,
            "input": running.input,
            "output": running.output,
            "error": running.error,
            "logs": running.logs,
            "metrics": running.metrics,
            "created_at": running.created,
            "started_at": running.started,
            "completed_at": running.completed,
            "urls": urls,
            "data_removed": False,
            "source": "api",
        }


@asynccontextmanager
async def standing_in() -> AsyncIterator[StandIn]:
    """The stand-in on a port of the system's choice."""
    stand_in = StandIn()
    server = uvicorn.Server(uvicorn.Config(stand_in.app(), port=0, log_level="critical", lifespan="off", ws="none"))
    # The signals stay with the test runner.
    server.capture_signals = contextmanager(lambda: iter([None]))  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        stand_in.url = f"http://127.0.0.1:{port}"
        yield stand_in
    finally:
        await stand_in.close()
        server.should_exit = True
        await task


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """An error as the platform tells it."""
    body = {"title": title, "detail": detail, "status": status, **more}
    return JSONResponse(body, status, headers, "application/problem+json")


def not_found() -> Response:
    return JSONResponse({"detail": "The requested resource could not be found.", "status": 404}, 404)


def _asked(request: Request, body: dict[str, Any]) -> Published | Response:
    """The model that a call would run, or why it may not."""
    if "name" in request.path_params:
        model = _named(request)
        # By name alone only official models are run.
        served = model is not None and (model.official or "/deployments/" in request.url.path)
        return model if model is not None and served else not_found()
    version = str(body.get("version")).rpartition(":")[2]
    found = next((model for model in MODELS if model.version == version != "hidden"), None)
    detail = "The specified version does not exist (or perhaps you don't have permission to use it?)"
    return found or problem(422, "Invalid version or not permitted", detail)


def _named(request: Request) -> Published | None:
    name = f"{request.path_params['owner']}/{request.path_params['name']}"
    return next((model for model in MODELS if model.name == name), None)


def _check(model: Published, input: dict[str, Any]) -> Response | None:
    wrong = [
        {"type": "required", "field": name, "description": f"{name} is required"}
        for name in model.required
        if name not in input
    ]
    for name, value in input.items():
        most = model.inputs.get(name, {}).get("maximum")
        if most is not None and value > most:
            sentence = f"Must be less than or equal to {most}"
            wrong.append({"type": "number_lte", "field": f"input.{name}", "description": sentence})
    if not wrong:
        return None
    detail = "".join(f"- {each['field']}: {each['description']}\n" for each in wrong)
    return problem(422, "Input validation failed", detail, invalid_fields=wrong)


def _as_version(model: Published) -> dict[str, Any]:
    created = "2026-01-01T00:00:00.000000Z"
    return {"id": model.version, "created_at": created, "cog_version": "0.16.0", "openapi_schema": model.schema}


def _as_model(model: Published, tells_official: bool) -> dict[str, Any]:
    owner, name = model.name.split("/")
    return {
        "url": f"https://replicate.com/{model.name}",
        "owner": owner,
        "name": name,
        "visibility": "public",
        "run_count": 1,
        **({"is_official": model.official} if tells_official else {}),
        "latest_version": _as_version(model),
    }


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data

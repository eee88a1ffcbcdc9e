"""OpenAI's routes: chats, completions, models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engines.model import Model
from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.log.local import Reader
from gateway.surfaces.body import BodyLimits, read_json
from gateway.surfaces.call_headers import cache_control, idempotency_key, patience, whereabouts
from gateway.surfaces.caller import caller
from gateway.surfaces.event_stream import EventStream
from gateway.surfaces.following import Following
from gateway.surfaces.identity import identify
from gateway.surfaces.presence import present
from gateway.wire import chat, completions
from gateway.wire.answers import Answer, ChatAnswer, TextAnswer
from gateway.wire.ask import Ask
from gateway.wire.chunks import ChatChunks, Chunks, TextChunks

SETTLE_S: Final = 2.0
"""How long a stream's status waits for the engine to take or to refuse the prompt."""


class Kind(NamedTuple):
    """What differs between the routes that answer."""

    surface: str
    parse: Callable[[dict[str, Any]], Ask]
    chunks: type[Chunks]
    answer: type[Answer]


CHAT: Final = Kind("chat", chat.parse, ChatChunks, ChatAnswer)
TEXT: Final = Kind("completions", completions.parse, TextChunks, TextAnswer)


def routes(gateway: Gateway, limits: BodyLimits, *, keep_alive_s: float, grace_s: float, since: float) -> list[Route]:
    """`grace_s` is for resumable streams, `since` (unix seconds) is when the models came."""

    async def models(request: Request) -> Response:
        listed = [_model(served, since) for served in gateway.models(caller(request))]
        return JSONResponse({"object": "list", "data": listed}, headers=identify(request))

    async def model(request: Request) -> Response:
        headers = identify(request)
        served = gateway.model(request.path_params["model"], caller(request))
        return JSONResponse(_model(served, since), headers=headers)

    def answers(kind: Kind) -> Answers:
        return Answers(gateway, limits, kind, keep_alive_s, grace_s)

    return [
        Route("/v1/chat/completions", answers(CHAT), methods=["POST"]),
        Route("/v1/completions", answers(TEXT), methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{model:path}", model),
    ]


class Answers:
    """A route that answers. It speaks ASGI itself, so that its reader lives exactly as long as its response."""

    def __init__(self, gateway: Gateway, limits: BodyLimits, kind: Kind, keep_alive_s: float, grace_s: float) -> None:
        self._gateway = gateway
        self._limits = limits
        self._kind = kind
        self._keep_alive_s = keep_alive_s
        self._grace_s = grace_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers, key = identify(request), caller(request)
        ask = self._kind.parse(await read_json(request, self._limits))
        resumable = ask.stream and request.headers.get("x-resumable") == "1"
        started = await self._gateway.start(
            ask.model,
            ask.prompt,
            key=key,
            surface=self._kind.surface,
            grace=self._grace_s if resumable else 0.0,
            addressed=resumable,
            whole=not ask.stream,
            idempotency_key=idempotency_key(request),
            control=cache_control(request, ask.cache),
            patience=patience(request),
        )
        call = started.call
        headers |= whereabouts(call)
        response: Response
        with self._gateway.answering(started) as reader:
            if ask.stream:
                async with present(receive):
                    await self._gateway.settle(reader, SETTLE_S)
                dialect = self._kind.chunks(call, ask, resumable=resumable)
                following = Following(self._gateway, reader, dialect, scope, self._keep_alive_s)
                response = EventStream(lambda scope: nullcontext(following), headers)
            else:
                async with present(receive):
                    body = await _whole(reader, self._kind.answer(call, ask), self._gateway.draining)
                response = Response(body, headers=headers, media_type="application/json")
            await response(scope, receive, send)


async def _whole(reader: Reader, answer: Answer, draining: asyncio.Event) -> bytes:
    """The plain answer: wait for the end. Raises HearthError when the end is no answer, or will not be seen here."""
    await reader.end(unless=draining.is_set)
    if reader.log.lost is not None:
        raise HearthError(reader.log.lost)
    if not reader.log.ended:
        raise HearthError("draining")
    answer.add(reader.take())
    return answer.body()


def _model(model: Model, since: float) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": int(since),
        "owned_by": "hearth",
        "state": model.state,
        "stage": model.stage,
        "context_length": model.traits.context_length,
    }

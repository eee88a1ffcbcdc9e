"""Calls to a replica: of an administrator, and streams whose readers may leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from loadtest.budget.plan import Ask
from loadtest.chaos.connection import Connection, Lost, Silent, connected
from loadtest.chaos.wire import Response, request

_DEADLINE_S: Final = 30.0


class Refused(Exception):
    """An answer that is not what was asked for. Says how."""


async def call(port: int, method: str, path: str, secret: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One JSON answer. Raises Refused with the error's code, or with how the connection was lost."""
    try:
        async with asyncio.timeout(_DEADLINE_S), connected(port, None, _DEADLINE_S) as connection:
            packed = b"" if body is None else json.dumps(body).encode()
            response = await _answered(connection, request(method, path, _bearer(secret), packed))
    except (Lost, Silent, TimeoutError) as error:
        raise Refused(f"{type(error).__name__.lower()} {error}".strip()) from None
    if response.status >= 400:
        raise Refused(f"{response.status} {response.code}")
    return response.json()


async def stream(port: int, secret: str, ask: Ask) -> str:
    """How one stream ended: `whole`, `canceled`, or how else."""
    try:
        async with asyncio.timeout(ask.leaves_after or _DEADLINE_S), connected(port, None, _DEADLINE_S) as connection:
            response = Response()
            connection.send(request("POST", "/v1/chat/completions", _bearer(secret), ask.body()))
            said = ""
            while not response.ended:
                for frame in response.feed(await connection.receive()):
                    said = frame.data
    except TimeoutError:
        return "hanging" if ask.leaves_after is None else "canceled"
    except (Lost, Silent) as error:
        return f"{type(error).__name__.lower()} {error}".strip()
    if response.status != 200:
        return "402" if response.status == 402 else f"{response.status} {response.code}"
    return "whole" if said == "[DONE]" else f"told {_code(said)}"


async def _answered(connection: Connection, question: bytes) -> Response:
    response = Response()
    connection.send(question)
    while not response.ended:
        response.feed(await connection.receive())
    return response


def _bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def _code(said: str) -> str:
    error = json.loads(said).get("error") if said else None
    return str(error["code"]) if error else "nothing"

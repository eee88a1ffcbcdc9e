"""Cog's HTTP API, as its server speaks it. What goes wrong on the way is told here in the engines' own errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from engines.base import JSON
from engines.errors import EngineError

_T = TypeVar("_T")

_CONNECT_S: Final = 5.0
_ASK_S: Final = 5.0
"""How long it may take to say how it is."""
_LONGEST: Final = 256 << 20
"""Bytes of one event: files that come as data URLs fit."""


class Setup(msgspec.Struct, frozen=True):
    """How the predictor's setup went, and what it printed."""

    status: str = ""
    logs: str = ""


class Health(msgspec.Struct, frozen=True):
    """How a server is: STARTING, READY, BUSY, SETUP_FAILED, DEFUNCT or UNHEALTHY."""

    status: str
    setup: Setup | None = None


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one input."""

    loc: tuple[str | int, ...] = ()
    msg: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    detail: str | list[Detail] = ""
    error: str = ""


class Ended(msgspec.Struct, frozen=True):
    """How a prediction ended: succeeded, failed or canceled."""

    status: str
    output: JSON = None
    error: str | None = None
    logs: str = ""
    metrics: dict[str, JSON] = {}


class Event(NamedTuple):
    """One of `start`, `output`, `log`, `metric`, `completed` and `error`, and what it tells."""

    name: str
    data: dict[str, Any]


class Busy(Exception):
    """All that it may run at once runs."""


class CogServer:
    """One server's connections. What is under way when it is closed fails as `engine_died`."""

    def __init__(self, url: str, authorization: str | None = None, called: str | None = None) -> None:
        self.host = called or urlsplit(url).netloc
        """How it is named to people."""
        self.url = url
        self._responses: set[aiohttp.ClientResponse] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            # How long an answer may take is watched by whoever waits for it.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={} if authorization is None else {"Authorization": authorization},
        )

    async def close(self) -> None:
        """Break off whatever is under way."""
        for response in self._responses:
            response.close()
        await self._session.close()

    async def health(self) -> Health:
        """How it is. Raises EngineError `engine_unreachable`."""
        return await self._get("/health-check", Health)

    async def document(self) -> dict[str, Any]:
        """Its OpenAPI document. Raises EngineError `engine_unreachable`."""
        return await self._get("/openapi.json", dict[str, Any])

    async def predict(self, id: str, inputs: Mapping[str, JSON], *, streams: bool) -> AsyncGenerator[Event]:
        """Run one prediction. Closing the iterator has it canceled, and does not wait for that.

        Raises EngineError, and Busy before the first event.
        """
        accept = "text/event-stream" if streams else "application/json"
        async with self._posted("/predictions", {"id": id, "input": inputs}, accept) as response:
            if not streams:
                yield Event("completed", msgspec.json.decode(await response.read(), type=dict[str, Any]))
                return
            async with aclosing(_blocks(response)) as blocks:
                async for block in blocks:
                    if event := _event(block):
                        yield event

    async def cancel(self, id: str) -> None:
        """Have it end a prediction; nothing happens where it has ended. Raises EngineError `engine_unreachable`."""
        await self._ask("POST", f"/predictions/{quote(id, safe='')}/cancel")

    async def _get(self, path: str, kind: type[_T]) -> _T:
        status, body = await self._ask("GET", path)
        if status != 200:
            raise EngineError("engine_unreachable", f"{self.host} answered {path} with status {status}.")
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise EngineError("engine_unreachable", f"{self.host} answered {path} as no Cog server does.") from None

    async def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_ASK_S), self._session.request(method, self.url + path) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            # The library's own word for a session that was closed is RuntimeError.
            raise self._unreachable(error) from error

    @asynccontextmanager
    async def _posted(self, path: str, body: JSON, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Content-Type": "application/json", "Accept": accept}
        try:
            response = await self._session.post(self.url + path, data=msgspec.json.encode(body), headers=headers)
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            raise self._unreachable(error) from error
        self._responses.add(response)
        try:
            if response.status != 200:
                raise refusal(response.status, await response.read(), self.host)
            yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EngineError("engine_died", f"{self.host} broke off its answer.") from error
        finally:
            self._responses.discard(response)
            response.close()

    def _unreachable(self, error: BaseException) -> EngineError:
        why = "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return EngineError("engine_unreachable", f"{self.host} cannot be reached: {why}.")


def refusal(status: int, body: bytes, host: str) -> Exception:
    """What an answer means that is no prediction."""
    try:
        told = msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        told = _Refusal(error=body[:200].decode(errors="replace"))
    if status == 409:
        return Busy()
    if status == 422 and isinstance(told.detail, list) and told.detail:
        return refused_input(told.detail)
    said = told.error or told.detail or f"status {status}"
    if status in (400, 422):
        return EngineError("invalid_request", f"The model does not take this: {said}")
    code: Any = "engine_busy" if status == 503 else "engine_failed"
    return EngineError(code, f"{host} answered: {said}")


def refused_input(details: list[Detail]) -> EngineError:
    """What is wrong with the inputs; the first that is wrong is the field at fault."""
    names = [".".join(str(part) for part in detail.loc if part != "body") for detail in details]
    told = "; ".join(f"{name}: {detail.msg}" for name, detail in zip(names, details, strict=True))
    return EngineError("invalid_request", f"The model does not take these inputs: {told}.", parameter=names[0] or None)


async def _blocks(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """The lines of each event. Raises EngineError `engine_failed` on one without end."""
    held, looked = bytearray(), 0
    async for data in response.content.iter_any():
        held += data
        while (end := held.find(b"\n\n", looked)) >= 0:
            yield bytes(held[:end])
            del held[: end + 2]
            looked = 0
        looked = max(0, len(held) - 1)
        if looked > _LONGEST:
            raise EngineError("engine_failed", f"The model gave more than {_LONGEST} bytes at once.")


def _event(block: bytes) -> Event | None:
    """A comment, as those that keep a connection alive, is none."""
    lines = dict(line.split(b": ", 1) for line in block.splitlines() if b": " in line)
    if b"event" not in lines or b"data" not in lines:
        return None
    return Event(lines[b"event"].decode(), msgspec.json.decode(lines[b"data"], type=dict[str, Any]))

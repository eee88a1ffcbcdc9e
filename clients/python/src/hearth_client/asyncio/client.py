"""AsyncHearth: start, watch, look at and stop generations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Literal, Self, cast

import httpx

from hearth_client import wire
from hearth_client.answers import Snapshot, Started, Stopped
from hearth_client.asyncio.socket import Socket
from hearth_client.asyncio.watch import over_sse, over_ws, survive
from hearth_client.backoff import Patience
from hearth_client.border import border
from hearth_client.events import Delta, End, Event
from hearth_client.reading import Reading


class AsyncHearth:
    """A client of one Hearth, for one event loop."""

    def __init__(self, base_url: str, api_key: str | None = None, *, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._auth = wire.auth(api_key)
        self._socket_url = wire.socket_url(base_url)
        self._http = httpx.AsyncClient(base_url=base_url, headers=self._auth, timeout=httpx.Timeout(60, connect=10))

    async def start(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> Started:
        """Start a generation from an OpenAI chat or completion body; return at once.

        With a key this may be called again, should the answer have been lost: it starts no second generation.
        """
        headers = wire.start_headers(idempotency_key)
        return cast(Started, await self._ask("POST", "/v1/streams", json=dict(request), headers=headers))

    def watch(
        self, generation: str, after: str | None = None, transport: Literal["sse", "ws"] = "sse"
    ) -> AsyncGenerator[Event, None]:
        """Yield the generation's events behind `after`, each once, across any number of cuts, to the last one."""
        reading = Reading(generation, after, self._patience)
        if transport == "ws":
            return survive(reading, lambda: over_ws(reading, self._socket_url, self._auth, self._patience.silence))
        return survive(reading, lambda: over_sse(reading, self._http, self._patience.silence))

    def socket(self) -> Socket:
        """Return one WebSocket for many generations; enter it with `async with`."""
        return Socket(self._socket_url, self._auth, self._patience)

    async def text(self, generation: str) -> str:
        """Wait for the generation's end; return its first choice's text, or raise its failure."""
        parts = []
        async with aclosing(self.watch(generation)) as events:
            async for event in events:
                if isinstance(event, Delta) and event.choice == 0:
                    parts.append(event.text)
                elif isinstance(event, End) and event.error is not None:
                    raise event.error
        return "".join(parts)

    async def get(self, generation: str) -> Snapshot:
        """Return the generation as it stands."""
        return cast(Snapshot, await self._ask("GET", wire.stream_path(generation)))

    async def cancel(self, generation: str) -> Stopped:
        """Stop the generation; stopping an ended one changes nothing."""
        return cast(Stopped, await self._ask("DELETE", wire.stream_path(generation)))

    async def models(self) -> list[dict[str, Any]]:
        """Return the models served, and how warm each is."""
        return cast(list[dict[str, Any]], (await self._ask("GET", "/v1/models"))["data"])

    async def close(self) -> None:
        """Close the connections kept."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, method: str, path: str, json: object = None, headers: Mapping[str, str] = wire.JSON) -> Any:
        with border():
            answer = await self._http.request(method, path, json=json, headers=headers)
        if answer.is_error:
            raise wire.refusal(answer.status_code, answer.headers, answer.content)
        return answer.json()

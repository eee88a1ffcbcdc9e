"""A server that wants keys, and those who ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.gateway.surfaces.raw import CHAT
from tests.serving import Served, serving

ADMIN: Final = "correct horse battery staple"


class House(Served):
    """The server."""

    async def ask(self, method: str, path: str, key: str | None = ADMIN, **more: Any) -> httpx.Response:
        headers = {**({} if key is None else {"authorization": f"Bearer {key}"}), **more.pop("headers", {})}
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
            return await client.request(method, path, headers=headers, **more)

    async def key(self, **said: Any) -> dict[str, Any]:
        """A new key, with its secret."""
        answer = await self.ask("POST", "/admin/keys", json=said)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    async def start(self, key: str | None) -> str:
        """A generation of that key."""
        answer = await self.ask("POST", "/v1/streams", key, json=CHAT)
        assert answer.status_code == 201, answer.text
        id: str = answer.json()["id"]
        return id


@asynccontextmanager
async def house(folder: Path, *models: str, **settings: Any) -> AsyncIterator[House]:
    async with serving(*models, **{"state_file": folder / "hearth.db", "admin_key": ADMIN, **settings}) as served:
        yield House(*served)


def refused(answer: httpx.Response) -> bool:
    """Whether somebody was told to send a key, as OpenAI's clients read it."""
    error = answer.json()["error"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-should-retry"] == "false"
    return (answer.status_code, error["code"], error["type"]) == (401, "unauthorized", "authentication_error")

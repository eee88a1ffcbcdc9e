"""Who asks is settled before a surface is reached, and nothing stands between a surface and its reader."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.keyring.lookup import Lookup
from gateway.keyring.sqlite import SqliteKeyring
from gateway.keys import LOCAL
from gateway.middleware import ANYONE, Authentication, Origins
from gateway.surfaces.caller import CAME, KEY
from tests.turning import Turned


class Reached:
    """A surface that notes how it was reached."""

    def __init__(self) -> None:
        self.by: tuple[Scope, Receive, Send] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.by = (scope, receive, send)


async def receive() -> Message:
    raise AssertionError("nothing is read")


async def send(message: Message) -> None:
    raise AssertionError("nothing is said")


@pytest.fixture
def lookup(tmp_path: Any) -> Lookup:
    return Lookup(SqliteKeyring(tmp_path / "hearth.db"), Turned().clock)


def asking(**more: Any) -> Scope:
    return {"type": "http", "method": "GET", "path": "/v1/models", "query_string": b"", "headers": [], **more}


async def test_a_surface_writes_straight_to_its_reader(lookup: Lookup) -> None:
    surface = Reached()
    stack = Origins(Authentication(surface, lookup, time.time, open_access=False), ("https://chat.example.com",))
    await stack(asking(), receive, send)
    assert surface.by is not None and surface.by[1] is receive and surface.by[2] is send
    assert surface.by[0][KEY] is LOCAL


async def test_the_servers_own_life_is_nobodys_call(lookup: Lookup) -> None:
    surface = Reached()
    await Authentication(surface, lookup, time.time, open_access=False)({"type": "lifespan"}, receive, send)
    assert surface.by is not None and KEY not in surface.by[0]


async def test_when_a_call_came_is_noted_before_its_key_is_looked_for(
    lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface, scope = Reached(), asking()

    async def wanted() -> bool:
        assert 0 <= asyncio.get_running_loop().time() - scope[CAME] < 5
        return False

    monkeypatch.setattr(lookup, "wanted", wanted)
    await Authentication(surface, lookup, time.time, open_access=False)(scope, receive, send)
    assert surface.by is not None and surface.by[0] is scope


OURS = ("localhost", "LocalHost:8000", "a.localhost:8000", "127.0.0.1", "127.8.8.8:80", "[::1]:8000")
OTHERS = ("evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "192.0.2.1", "[", "")


@pytest.mark.parametrize("host", [None, *OURS])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_without_a_key_everybody_is_answered_who_names_this_machine(
    lookup: Lookup, host: str | None, kind: str
) -> None:
    surface = Reached()
    named = [] if host is None else [(b"host", host.encode())]
    scope = asking(type=kind, headers=named)
    await Authentication(surface, lookup, time.time, open_access=False)(scope, receive, send)
    assert surface.by is not None and surface.by[0][KEY] is LOCAL


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_without_a_key_nobody_is_answered_who_names_another_machine(lookup: Lookup, host: str, kind: str) -> None:
    surface, told = Reached(), []

    async def hear(message: Message) -> None:
        told.append(message)

    extensions: dict[str, Any] = {"websocket.http.response": {}}
    scope = asking(type=kind, headers=[(b"host", host.encode())], extensions=extensions)
    await Authentication(surface, lookup, time.time, open_access=False)(scope, receive, hear)
    assert surface.by is None and told[0]["status"] == 403 and b"foreign_host" in told[1]["body"]


async def test_whoever_opens_a_server_may_give_it_any_name(lookup: Lookup) -> None:
    surface = Reached()
    scope = asking(headers=[(b"host", b"hearth.example")])
    await Authentication(surface, lookup, time.time, open_access=True)(scope, receive, send)
    assert surface.by is not None and surface.by[0][KEY] is ANYONE


async def test_of_an_address_only_the_ticket_is_taken(lookup: Lookup) -> None:
    surface = Reached()
    scope = asking(path="/v1/streams/gen_a", query_string=b"after=x-1&ticket=abc&name=%C3%A4+b&flag=&ticket=d")
    await Authentication(surface, lookup, time.time, open_access=False)(scope, receive, send)
    assert scope["query_string"] == b"after=x-1&name=%C3%A4+b&flag="

"""Pages of other sites: the settings say which may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.gateway.surfaces.house import ADMIN, house
from tests.gateway.surfaces.raw import CHAT

PAGE, OTHER = "https://chat.example.com", "https://other.example.com"


def preflight(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and "access-control-allow-origin" in answer.headers


async def test_a_page_that_is_welcome_asks_and_reads_the_answer_and_its_headers(tmp_path: Path) -> None:
    async with house(tmp_path, origins=(PAGE,)) as here:
        asking = {"origin": PAGE, "access-control-request-method": "POST"}
        asking["access-control-request-headers"] = "authorization, content-type, idempotency-key"
        before = await here.ask("OPTIONS", "/v1/chat/completions", None, headers=asking)
        assert preflight(before) and "idempotency-key" in before.headers["access-control-allow-headers"]
        asking["access-control-request-private-network"] = "true"
        before = await here.ask("OPTIONS", "/v1/chat/completions", None, headers=asking)
        assert preflight(before) and before.headers["access-control-allow-private-network"] == "true"
        answer = await here.ask("POST", "/v1/chat/completions", json=CHAT, headers={"origin": PAGE})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"location", "x-generation-id", "retry-after", "x-cache", "x-ratelimit-limit-requests"} <= set(exposed)
        refused = await here.ask("POST", "/v1/chat/completions", None, json=CHAT, headers={"origin": PAGE})
        assert refused.status_code == 401 and refused.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("settings", [{}, {"origins": (PAGE,)}])
async def test_a_page_that_is_not_welcome_stays_out_with_a_good_key_too(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with house(tmp_path, **settings) as here:
        asking = {"origin": OTHER, "access-control-request-method": "POST"}
        assert not preflight(await here.ask("OPTIONS", "/v1/chat/completions", None, headers=asking))
        for path in ("/v1/chat/completions", "/v1/streams", "/v1/tickets", "/admin/keys"):
            answer = await here.ask("POST", path, json=CHAT, headers={"origin": OTHER})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")
            assert "access-control-allow-origin" not in answer.headers


async def test_a_star_lets_every_page_in(tmp_path: Path) -> None:
    async with house(tmp_path, origins=("*",)) as here:
        answer = await here.ask("POST", "/v1/chat/completions", json=CHAT, headers={"origin": OTHER})
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "*"


async def test_a_socket_opens_for_a_page_that_is_welcome_alone(tmp_path: Path) -> None:
    async with house(tmp_path, origins=(PAGE,)) as here:
        url, key = here.url.replace("http", "ws") + "/v1/ws", {"x-api-key": ADMIN}
        async with connect(url, origin=PAGE, additional_headers=key):  # type: ignore[arg-type]
            pass
        with pytest.raises(InvalidStatus) as told:
            await connect(url, origin=OTHER, additional_headers=key)  # type: ignore[arg-type]
        assert told.value.response.status_code == 403


async def test_who_is_no_page_gets_no_word_of_it(tmp_path: Path) -> None:
    async with house(tmp_path, origins=(PAGE,)) as here:
        answer = await here.ask("GET", "/v1/models")
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_site_that_has_its_name_lead_here_gets_nothing_while_no_key_is_wanted(tmp_path: Path) -> None:
    async with house(tmp_path, admin_key=None) as here:
        port = here.url.rpartition(":")[2]
        rebound = {"host": f"evil.example:{port}", "origin": f"http://evil.example:{port}"}
        answers = [
            await here.ask("POST", "/admin/keys", None, json={"admin": True}, headers=rebound),
            await here.ask("GET", "/v1/models", None, headers={"host": rebound["host"]}),
        ]
        assert [(each.status_code, each.json()["error"]["code"]) for each in answers] == [(403, "foreign_host")] * 2
        url = here.url.replace("http", "ws") + "/v1/ws"
        with pytest.raises(InvalidStatus) as told:
            await connect(f"ws://evil.example:{port}/v1/ws", host="127.0.0.1", port=int(port))
        assert told.value.response.status_code == 403
        async with connect(url):
            pass
        assert (await here.ask("POST", "/admin/keys", json={}, headers={"origin": here.url})).status_code == 201

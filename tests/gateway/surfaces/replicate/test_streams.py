"""A prediction's stream: for whoever has its address, from the start or from where a reader was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.serving import Served, serving

QUICK = "demo=scripted:?token_ms=1&tokens=5"
SLOW = "slow=scripted:?token_ms=5&tokens=10000"
PROMPT = {"input": {"prompt": "once"}}
KEY = {"authorization": "Bearer a-long-enough-secret"}


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving(QUICK, SLOW, admin_key="a-long-enough-secret") as served:
        yield served


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/replicate/v1") as client:
        yield client


async def begun(client: httpx.AsyncClient, model: str = "demo", **headers: str) -> dict[str, Any]:
    answer = await client.post(f"/models/hearth/{model}/predictions", json=PROMPT, headers={**KEY, **headers})
    told: dict[str, Any] = answer.json()
    return told


async def read(client: httpx.AsyncClient, url: str, **headers: str) -> list[tuple[str, str, str]]:
    """Each event of a stream: id, name, data."""
    answer = await client.get(url, headers={"accept": "text/event-stream", **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    events = []
    for block in answer.text.split("\n\n"):
        fields = [line.partition(": ")[::2] for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            said = dict(fields)
            events.append((said["id"], said["event"], "\n".join(value for name, value in fields if name == "data")))
    return events


async def test_it_is_read_without_a_key_and_says_all_there_is(client: httpx.AsyncClient) -> None:
    told = await begun(client, prefer="wait")
    events = await read(client, told["urls"]["stream"])
    assert [data for _, name, data in events if name == "output"] == told["output"]
    assert events[-1][1:] == ("done", "{}")
    assert len({id for id, _, _ in events}) == len(events)


async def test_who_comes_back_gets_the_rest(client: httpx.AsyncClient) -> None:
    url = (await begun(client, prefer="wait"))["urls"]["stream"]
    events = await read(client, url)
    for at in range(len(events)):
        assert await read(client, url, **{"last-event-id": events[at][0]}) == events[at + 1 :]


async def test_an_address_that_was_not_given_leads_nowhere(client: httpx.AsyncClient) -> None:
    told = await begun(client)
    url = told["urls"]["stream"]
    for wrong in (url[:-1] + ("a" if url[-1] != "a" else "b"), url.rpartition("-")[0], url.rpartition("/")[0] + "/x-y"):
        answer = await client.get(wrong)
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
    # Nor does that address let anybody do anything else.
    assert (await client.get(told["urls"]["get"])).status_code == 401


async def test_who_leaves_stops_nothing(client: httpx.AsyncClient) -> None:
    told = await begun(client, "slow")
    async with client.stream("GET", told["urls"]["stream"]) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data"):
                break
    seen = (await client.get(told["urls"]["get"], headers=KEY)).json()
    assert seen["status"] == "processing"
    await client.post(told["urls"]["cancel"], headers=KEY)
    assert (await read(client, told["urls"]["stream"]))[-1][1:] == ("done", '{"reason":"canceled"}')


@pytest.mark.parametrize("origins", ([], ["https://friend.example"]))
async def test_a_browser_may_send_where_it_was_whatever_page_it_shows(origins: list[str]) -> None:
    asking = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    asking["access-control-request-headers"] = "last-event-id, range"
    async with (
        serving(QUICK, admin_key="a-long-enough-secret", origins=origins) as served,
        httpx.AsyncClient(base_url=f"{served.url}/replicate/v1") as client,
    ):
        for url in ((await begun(client))["urls"]["stream"], "/files/x/download?owner=y", "/files/x/y/cat.png"):
            answer = await client.options(url, headers=asking)
            assert answer.status_code == 204
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
            assert answer.headers["access-control-allow-headers"] == "Last-Event-ID, Range"
        # What needs a key is for the pages of `origins` alone.
        answer = await client.options("/files/x", headers=asking)
        assert "access-control-allow-origin" not in answer.headers


async def test_pages_of_any_site_may_read_it(client: httpx.AsyncClient) -> None:
    answer = await client.get((await begun(client))["urls"]["stream"], headers={"origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"].startswith("no-store")

"""What a prediction took and gave goes, and the prediction stays; its addresses are those of the outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.surfaces.replicate import predictions
from tests.serving import serving

QUICK = "demo=scripted:?token_ms=1&tokens=5"
PROMPT = {"input": {"prompt": "once"}}
CREATE = "/replicate/v1/models/hearth/demo/predictions"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with serving(QUICK) as served, httpx.AsyncClient(base_url=served.url) as client:
        yield client


async def test_after_its_time_the_data_is_gone_and_the_prediction_remains(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "KEPT_S", 0.2)
    told = (await client.post(CREATE, json=PROMPT, headers={"prefer": "wait"})).json()
    assert told["output"] and not told["data_removed"]
    async with asyncio.timeout(10):
        while True:
            seen = (await client.get(told["urls"]["get"])).json()
            if seen["data_removed"]:
                break
    assert (seen["input"], seen["output"], seen["logs"]) == (None, None, None)
    for name in ("id", "status", "created_at", "started_at", "completed_at", "metrics", "version"):
        assert seen[name] == told[name], name
    [listed] = (await client.get("/replicate/v1/predictions")).json()["results"]
    assert listed == seen
    assert (await client.get(told["urls"]["stream"])).status_code == 410


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"host": "gw.example:8443"}, "http://gw.example:8443"),
        ({"host": "inside", "x-forwarded-host": "gw.example", "x-forwarded-proto": "https"}, "https://gw.example"),
        ({"host": "inside", "x-forwarded-host": "a.example, b.example"}, "http://a.example"),
        ({"host": "gw.example", "x-forwarded-host": "evil.example/x?", "x-forwarded-proto": "js"}, None),
    ],
)
async def test_addresses_are_what_the_caller_used(headers: dict[str, str], address: str | None) -> None:
    async with serving(QUICK, open_access=True) as served, httpx.AsyncClient(base_url=served.url) as client:
        told = (await client.post(CREATE, json=PROMPT, headers=headers)).json()
    for name in ("get", "cancel", "stream"):
        assert told["urls"][name].startswith(f"{address or ''}"), told["urls"]
        assert "evil" not in told["urls"][name]


async def test_a_configured_address_is_the_one() -> None:
    async with (
        serving(QUICK, public_url="https://gw.example/ai/") as served,
        httpx.AsyncClient(base_url=served.url) as client,
    ):
        told = (await client.post(CREATE, json=PROMPT)).json()
    assert told["urls"]["get"] == f"https://gw.example/ai/replicate/v1/predictions/{told['id']}"

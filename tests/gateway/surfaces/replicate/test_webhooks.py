"""Webhooks of a whole server on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from replicate.webhook import Webhooks as Official
from replicate.webhook import WebhookSigningSecret

from tests.gateway.webhooks.receiving import Receiver, answers, receiving
from tests.serving import Served, serving
from tests.waiting import until

MODELS = ("demo=scripted:?token_ms=1&tokens=5", "slow=scripted:?token_ms=20&tokens=10000")
LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with serving(*MODELS, private_networks=LOOPBACK) as served, asking(served) as client:
        yield client


def asking(served: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{served.url}/replicate/v1")


async def create(client: httpx.AsyncClient, model: str, webhook: str, **more: Any) -> str:
    body = {"input": {"prompt": "once"}, "webhook": webhook, **more}
    answer = await client.post(f"/models/hearth/{model}/predictions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_the_end_is_told_with_the_very_bytes_that_get_gives(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    id = await create(client, "demo", receiver.url)
    await until(lambda: "completed" in receiver.events)
    heard = receiver.heard[-1]
    assert heard.body == (await client.get(f"/predictions/{id}")).content
    assert (heard.said["status"], len(heard.said["output"])) == ("succeeded", 5)
    assert receiver.events[0] == "start" and receiver.heard[0].said["id"] == id


async def test_the_clients_own_check_passes_with_the_secret_that_it_asks_for(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await create(client, "demo", receiver.url)
    await until(lambda: "completed" in receiver.events)
    secret = WebhookSigningSecret(**(await client.get("/webhooks/default/secret")).json())
    for heard in receiver.heard:
        Official.validate(headers=heard.headers, body=heard.body.decode(), secret=secret, tolerance=60)


async def test_what_runs_is_told_of_as_it_grows_and_what_is_stopped_as_stopped(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    id = await create(client, "slow", receiver.url)
    await until(lambda: receiver.events.count("output") == 2)
    await client.post(f"/predictions/{id}/cancel")
    await until(lambda: "completed" in receiver.events)
    assert receiver.events == ["start", "output", "output", "completed"]
    start, first, second, end = [each.said for each in receiver.heard]
    assert [each["status"] for each in (start, first, second, end)] == [*["processing"] * 3, "canceled"]
    assert second["output"][: len(first["output"])] == first["output"] and len(second["output"]) > len(first["output"])


async def test_a_filter_is_kept(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await create(client, "demo", receiver.url, webhook_events_filter=["completed"])
    await until(lambda: len(receiver.heard) == 1)
    await create(client, "demo", receiver.url, webhook_events_filter=["start"])
    await until(lambda: len(receiver.heard) == 2)
    assert receiver.events == ["completed", "start"]


async def test_who_did_not_hear_before_a_restart_hears_after_it(receiver: Receiver, tmp_path: Path) -> None:
    lasting = {"private_networks": LOOPBACK, "state_file": tmp_path / "hearth.db"}
    receiver.answer = answers(500)
    async with serving(*MODELS, **lasting) as served, asking(served) as client:
        id = await create(client, "demo", receiver.url, webhook_events_filter=["completed"])
        await until(lambda: len(receiver.heard) > 1)
    receiver.answer = answers(200)
    before = len(receiver.heard)
    async with serving(*MODELS, **lasting):
        await until(lambda: len(receiver.heard) > before)
    first, last = receiver.heard[0], receiver.heard[-1]
    assert last.said["id"] == id and last.said["status"] == "succeeded"
    assert last.headers["webhook-id"] == first.headers["webhook-id"]


async def test_who_hears_of_a_start_late_hears_how_it_was(client: httpx.AsyncClient, receiver: Receiver) -> None:
    id = await create(client, "demo", receiver.url)
    await until(lambda: "completed" in receiver.events)
    start, end = receiver.heard[0].said, receiver.heard[-1].said
    assert receiver.events == ["start", *receiver.events[1:-1], "completed"]
    assert (start["id"], start["status"], start["output"], start["metrics"]) == (id, "processing", None, {})
    assert start["started_at"] is not None and start["completed_at"] is None and end["status"] == "succeeded"


async def test_a_private_receiver_is_never_called_and_an_admin_sees_why(receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", "localhost")
    async with serving(*MODELS) as served, asking(served) as client:
        id = await create(client, "demo", url)
        async with asyncio.timeout(10):
            while not (shown := (await client.get(f"{served.url}/admin/webhooks/{id}")).json())["told"]:
                continue
        [lost] = (await client.get(f"{served.url}/admin/webhooks")).json()["data"]
    assert receiver.heard == [] and lost["id"] == id
    assert {each["error"] for each in shown["tries"]} == {
        "localhost is not a public address, and this server calls no others."
    }


async def test_a_receiver_whose_number_is_private_is_refused_at_once(receiver: Receiver) -> None:
    body = {"input": {"prompt": "once"}, "webhook": receiver.url.replace("127.0.0.1", "127.1")}
    async with serving(*MODELS) as served, asking(served) as client:
        answer = await client.post("/models/hearth/demo/predictions", json=body)
        assert (answer.status_code, answer.json()["status"]) == (422, 422)
        assert answer.json()["detail"].startswith("`webhook` cannot be called: 127.1 is not a public address")
        assert "secret" not in answer.text
        assert (await client.get("/predictions")).json()["results"] == []

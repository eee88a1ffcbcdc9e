"""The stand-in is what Replicate's own client takes for Replicate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError

from tests.engines.replicate.published import CHAT, JUDGE, LLAMA, WHOLE
from tests.engines.replicate.stand_in import TOKEN, StandIn, problem


@pytest.fixture
async def client(platform: StandIn) -> AsyncIterator[Any]:
    client = Client(TOKEN, base_url=platform.url)
    yield client
    # It has no way of its own to let go of its connections.
    await client._async_client.aclose()


async def test_the_client_streams_a_model(client: Any) -> None:
    stream = await client.async_stream(CHAT, input={"prompt": "a fox", "max_completion_tokens": 5})
    events = [(event.event.value, event.data) async for event in stream]
    assert [name for name, _ in events] == ["logs", *["output"] * 5, "done"]
    assert "".join(data for name, data in events if name == "output").endswith(".4")


async def test_the_client_polls_a_version(client: Any) -> None:
    prediction = await client.predictions.async_create("1" * 64, {"prompt": "a fox", "max_tokens": 3})
    assert (prediction.status, prediction.output) == ("starting", None)
    await prediction.async_wait()
    assert (prediction.status, len(prediction.output)) == ("succeeded", 3)
    assert prediction.metrics["output_token_count"] == 3


async def test_the_client_finds_pieces_in_a_schema_and_puts_them_together(client: Any) -> None:
    pieces = await client.async_run(f"{LLAMA}:{'1' * 64}", {"prompt": "a fox", "max_tokens": 3}, wait=False)
    assert len([piece async for piece in pieces]) == 3


async def test_the_client_runs_what_gives_its_output_at_once(client: Any) -> None:
    assert (await client.async_run(f"{JUDGE}:{'2' * 64}", {"prompt": "x"}))["label"] == "good"
    assert isinstance(await client.async_run(f"{WHOLE}:{'3' * 64}", {"prompt": "x"}), str)


async def test_the_client_cancels(client: Any, platform: StandIn) -> None:
    platform.endless = True
    prediction = await client.predictions.async_create(LLAMA + ":" + "1" * 64, {"prompt": "a fox"})
    await prediction.async_cancel()
    assert platform.predictions[0].status in ("canceled", "aborted")


async def test_the_client_reads_models_and_deployments(client: Any) -> None:
    model = await client.models.async_get(LLAMA)
    assert (model.owner, model.latest_version.id) == ("acme", "1" * 64)
    deployment = await client.deployments.async_get(LLAMA)
    prediction = await deployment.predictions.async_create({"prompt": "a fox"})
    assert prediction.version == "1" * 64


async def test_the_client_reads_its_errors(client: Any, platform: StandIn) -> None:
    with pytest.raises(ReplicateError) as refused:
        await client.predictions.async_create("9" * 64, {"prompt": "a fox"})
    assert (refused.value.status, refused.value.title) == (422, "Invalid version or not permitted")
    platform.refusals.append(problem(402, "Insufficient credit", "You have insufficient credit to run this model."))
    with pytest.raises(ReplicateError) as refused:
        await client.models.async_get(LLAMA)
    assert refused.value.status == 402
    platform.failure = "out of memory"
    with pytest.raises(ModelError):
        await client.async_run(f"{WHOLE}:{'3' * 64}", {"prompt": "x"})

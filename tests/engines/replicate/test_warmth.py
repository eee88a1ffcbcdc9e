"""How a model on Replicate becomes warm, and how it is known no longer to be."""

from __future__ import annotations

import asyncio

import pytest

from engines.errors import EngineError
from engines.replicate.engine import ReplicateEngine
from tests.engines.asking import ask, chat
from tests.engines.replicate.published import CHAT, EYES, JUDGE, LLAMA
from tests.engines.replicate.stand_in import StandIn, problem
from tests.engines.replicate.warming import cold, warm
from tests.waiting import until


async def test_a_boot_is_told_and_lasts_until_a_token_came(platform: StandIn) -> None:
    platform.warm.clear()
    engine = cold(platform)
    stages: list[str] = []
    starting = asyncio.create_task(engine.start(stages.append))
    await until(lambda: "waiting for Replicate to begin" in stages)
    assert not starting.done()
    assert not engine.traits.parameters
    platform.warm.set()
    async with asyncio.timeout(10):
        await starting
    assert {"temperature", "max_tokens", "stop", "n"} <= (engine.traits.parameters or set())
    assert platform.inputs == [{"prompt": "Hi", "max_tokens": 1}]
    await engine.close()


async def test_a_boot_that_is_given_up_is_canceled(platform: StandIn) -> None:
    platform.warm.clear()
    engine = cold(platform)
    starting = asyncio.create_task(engine.start(lambda stage: None))
    await until(lambda: len(platform.predictions) == 1)
    starting.cancel()
    await asyncio.wait([starting], timeout=10)
    await engine.stop()
    assert platform.predictions[0].status == "aborted"


async def test_a_model_whose_version_is_hidden_is_run_by_its_name(platform: StandIn) -> None:
    platform.tells_official = False
    engine = await warm(platform, CHAT)
    assert platform.paths == [f"/v1/models/{CHAT}/predictions"]
    await engine.close()


async def test_a_version_is_asked_for_once(platform: StandIn) -> None:
    engine = await warm(platform, "1" * 64)
    await engine.stop()
    await engine.start(lambda stage: None)
    # To find its model, to boot it, to boot it again.
    assert len(platform.predictions) == 3
    await engine.close()


async def test_a_boot_with_more_to_say_is_left_at_the_first_token(platform: StandIn) -> None:
    platform.endless = True
    engine = await warm(platform)
    await until(lambda: platform.predictions[0].status == "canceled")
    await engine.close()


@pytest.mark.parametrize(
    ("source", "path", "body", "version"),
    [
        (LLAMA, "/v1/predictions", {"version": "1" * 64}, "1" * 64),
        (f"{LLAMA}:{'1' * 64}", "/v1/predictions", {"version": "1" * 64}, "1" * 64),
        ("1" * 64, "/v1/predictions", {"version": "1" * 64}, "1" * 64),
        (f"deployments/{LLAMA}", f"/v1/deployments/{LLAMA}/predictions", {}, "1" * 64),
        (CHAT, f"/v1/models/{CHAT}/predictions", {}, None),
    ],
)
async def test_a_model_is_run_by_what_names_it(
    platform: StandIn, source: str, path: str, body: dict[str, str], version: str | None
) -> None:
    engine = await warm(platform, source)
    assert engine.traits.version == version
    assert platform.paths[-1] == path
    sent = platform.bodies[-1]
    assert {name: sent[name] for name in sent.keys() - {"input", "stream"}} == body
    await engine.close()


@pytest.mark.parametrize("source", ["acme/nothing", f"{LLAMA}:{'9' * 64}", "9" * 64, "deployments/acme/nothing"])
async def test_a_model_that_is_not_there_is_told_with_how_to_write_one(platform: StandIn, source: str) -> None:
    engine = cold(platform, source)
    with pytest.raises(EngineError, match="owner/name:version") as refused:
        await engine.start(lambda stage: None)
    assert refused.value.code == "bad_model_source"
    await engine.stop()


async def test_a_model_that_wants_more_than_words_does_not_boot(platform: StandIn) -> None:
    engine = cold(platform, EYES)
    with pytest.raises(EngineError, match="image is required") as failed:
        await engine.start(lambda stage: None)
    assert failed.value.code == "boot_failed"
    await engine.stop()


@pytest.mark.parametrize(("token", "said"), [(None, "REPLICATE_API_TOKEN"), ("r8_wrong", "replicate_api_token")])
async def test_a_boot_without_a_good_token_fails_and_tells_none(
    platform: StandIn, token: str | None, said: str
) -> None:
    engine = cold(platform, token=token)
    with pytest.raises(EngineError, match=said) as failed:
        await engine.start(lambda stage: None)
    assert failed.value.code == "boot_failed"
    assert "r8_wrong" not in f"{failed.value!r} {engine!r}"
    await engine.stop()


async def test_a_boot_that_cannot_be_paid_says_so(platform: StandIn) -> None:
    engine = cold(platform)
    platform.refusals.append(problem(402, "Insufficient credit", "You have insufficient credit to run this model."))
    with pytest.raises(EngineError) as failed:
        await engine.start(lambda stage: None)
    assert failed.value.code == "upstream_budget"
    await engine.stop()


async def test_a_platform_that_cannot_be_reached_is_told(platform: StandIn, engine: ReplicateEngine) -> None:
    lost = cold(platform, url="http://127.0.0.1:9/v1")
    with pytest.raises(EngineError) as failed:
        await lost.start(lambda stage: None)
    assert failed.value.code == "engine_unreachable"
    await lost.stop()


async def test_a_model_that_was_not_seen_for_long_is_taken_for_cold(platform: StandIn) -> None:
    engine = await warm(platform, stays_warm_s="0.02")
    async with asyncio.timeout(10):
        assert "0.02 s" in await engine.died()
    assert engine.traits.goes_cold
    await engine.close()


async def test_a_model_at_work_is_not_taken_for_cold(platform: StandIn) -> None:
    engine = await warm(platform, stays_warm_s="0.02")
    platform.endless = True
    answer = engine.generate("x", chat("a fox"))
    await anext(answer)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await engine.died()
    await answer.aclose()
    async with asyncio.timeout(10):
        await engine.died()
    await engine.close()


async def test_a_beat_that_finds_it_cold_says_so_to_all(
    platform: StandIn, engine: ReplicateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.replicate.engine._COLD_S", 0.5)
    dying = asyncio.create_task(engine.died())
    await engine.beat()
    assert not dying.done()
    platform.warm.clear()
    with pytest.raises(EngineError, match="cold") as cooled:
        await engine.beat()
    assert cooled.value.code == "engine_died"
    async with asyncio.timeout(10):
        assert "cold" in await dying
    await until(lambda: platform.predictions[-1].status == "aborted")


@pytest.mark.parametrize("streams", [True, False])
async def test_an_answer_that_waits_for_a_boot_says_that_it_is_cold(
    platform: StandIn, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    monkeypatch.setattr("engines.replicate.engine._COLD_S", 0.05)
    platform.streams_at_all = streams
    engine = await warm(platform)
    platform.warm.clear()
    with pytest.raises(EngineError, match="cold") as cooled:
        await ask(engine, chat("a fox"))
    assert cooled.value.code == "engine_died"
    async with asyncio.timeout(10):
        assert "cold" in await engine.died()
    await engine.stop()
    assert platform.predictions[-1].status == "aborted"


async def test_an_answer_that_waits_behind_others_waits(platform: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.replicate.engine._COLD_S", 0.3)
    engine = await warm(platform)
    platform.word_s = 0.02
    first = asyncio.create_task(ask(engine, chat("a fox", max_tokens=30), "first"))
    await until(lambda: len(platform.stream_headers) == 1)
    platform.warm.clear()
    second = asyncio.create_task(ask(engine, chat("a bear", max_tokens=2), "second"))
    await first
    platform.warm.set()
    assert (await second).text().endswith(".1")
    await engine.close()


async def test_a_model_without_a_bound_beats_all_the_same(platform: StandIn) -> None:
    engine = await warm(platform, JUDGE)
    await engine.beat()
    assert platform.inputs == [{"prompt": "Hi"}] * 2
    assert (await ask(engine, chat("a fox"))).finishes() == ["stop"]
    await engine.close()

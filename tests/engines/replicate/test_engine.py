"""A model on Replicate keeps the promises of an engine, through the platform's own protocol."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from engines.base import Accepted, Delta, Engine, Prompt, Said
from engines.errors import EngineError
from engines.replicate.engine import ReplicateEngine
from tests.engines.asking import ask, begin_and_leave, chat
from tests.engines.contract import AnsweringContract
from tests.engines.replicate.published import JUDGE, WHOLE
from tests.engines.replicate.stand_in import TOKEN, StandIn, not_found, problem
from tests.engines.replicate.warming import warm
from tests.waiting import until


async def refused(engine: Engine, prompt: Prompt, **more: Any) -> EngineError:
    """The error of an answer that is not given; it holds no secret."""
    with pytest.raises(EngineError) as caught:
        await ask(engine, prompt, **more)
    assert TOKEN not in str(caught.value)
    assert engine.running == 0
    return caught.value


class TestContract(AnsweringContract):
    @pytest.fixture
    def engine(self, engine: ReplicateEngine) -> Engine:
        return engine


async def test_every_piece_is_told_when_it_comes(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.endless = True
    async with asyncio.timeout(10), aclosing(engine.generate("x", chat("a fox", max_tokens=3))) as answer:
        chunks = [await anext(answer) for _ in range(4)]
    assert isinstance(chunks[0], Accepted)
    assert [chunk.text[-2:] for chunk in chunks[1:] if isinstance(chunk, Delta)] == [".0", ".1", ".2"]


async def test_an_answer_that_is_shorter_than_it_may_be_ended_by_itself(
    engine: ReplicateEngine, platform: StandIn
) -> None:
    platform.most_words = 5
    answer = await ask(engine, chat("a fox", max_tokens=6))
    assert (answer.finishes(), answer.tokens) == (["stop"], 5)


async def test_what_it_took_is_what_the_platform_counted(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.word_s = 0.001
    answer = await ask(engine, Prompt(texts=("one two three", "four"), parameters={"max_tokens": 2, "n": 2}))
    assert (answer.accepted.prompt_tokens, answer.tokens) == (4, 8)
    spent = sum(running.metrics["predict_time"] for running in platform.predictions[1:])
    assert answer.accepted.seconds == pytest.approx(spent)
    assert spent > 0


@pytest.mark.parametrize("streams", [True, False])
async def test_nothing_is_told_before_the_model_is_seen_to_run(platform: StandIn, streams: bool) -> None:
    platform.streams_at_all = streams
    engine = await warm(platform)
    platform.warm.clear()
    async with asyncio.timeout(10), aclosing(engine.generate("x", chat("a fox", max_tokens=1))) as answer:
        first = asyncio.ensure_future(anext(answer))
        looks = platform.looks
        await until(lambda: platform.looks >= looks + 2)
        assert not first.done()
        platform.word_s = 30.0
        platform.warm.set()
        # It runs, and has not said a word.
        assert (await first) == Accepted(9)
    await engine.close()


async def test_what_waits_for_a_later_choice_is_no_compute(engine: ReplicateEngine, platform: StandIn) -> None:
    prompt = chat("a fox", max_tokens=1, n=2)
    async with asyncio.timeout(10), aclosing(engine.generate("x", prompt)) as answer:
        chunks = [await anext(answer) for _ in range(3)]
        platform.warm.clear()
        assert isinstance(chunks[2], Accepted)
        assert chunks[2].seconds == platform.predictions[-1].metrics["predict_time"]
        assert isinstance(await anext(answer), Delta)
        later = asyncio.ensure_future(anext(answer))
        await until(lambda: len(platform.predictions) == 3)
        assert not later.done()
        platform.warm.set()
        assert await later == chunks[0]


@pytest.mark.parametrize(("model", "said"), [(WHOLE, ".1"), (JUDGE, '{"label":"good","score":0.5}')])
async def test_what_comes_at_once_is_one_piece(platform: StandIn, model: str, said: str) -> None:
    engine = await warm(platform, model)
    platform.most_words = 2
    answer = await ask(engine, chat("a fox"))
    assert [delta.text[-len(said) :] for delta in answer.deltas] == [said, ""]
    await engine.close()


async def test_a_stream_that_breaks_costs_no_word(engine: ReplicateEngine, platform: StandIn) -> None:
    whole = await ask(engine, chat("a fox", max_tokens=9))
    for cut in range(1, 11):
        platform.cut_stream_at = cut
        assert (await ask(engine, chat("a fox", max_tokens=9))).text() == whole.text()


async def test_a_model_without_a_stream_is_looked_at(platform: StandIn) -> None:
    platform.streams_at_all = False
    engine = await warm(platform)
    answer = await ask(engine, chat("a fox", max_tokens=9))
    assert answer.text().endswith(".8")
    assert platform.stream_headers == []
    await engine.close()


async def test_the_host_of_streams_is_not_shown_the_token(engine: ReplicateEngine, platform: StandIn) -> None:
    await ask(engine, chat("a fox", max_tokens=2))
    assert platform.stream_headers
    assert not any(TOKEN in value for headers in platform.stream_headers for value in headers.values())


async def test_to_leave_cancels_the_prediction(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.endless = True
    await begin_and_leave(engine, chat("a fox", max_tokens=3), 3)
    await until(lambda: platform.predictions[-1].status == "canceled")


async def test_to_leave_before_the_platform_answered_cancels_what_it_began(
    engine: ReplicateEngine, platform: StandIn
) -> None:
    platform.endless = True
    platform.answering.clear()
    asking = asyncio.create_task(ask(engine, chat("a fox")))
    await until(lambda: len(platform.predictions) == 2)
    asking.cancel()
    await asyncio.wait([asking], timeout=10)
    assert engine.running == 0
    platform.answering.set()
    await until(lambda: platform.predictions[-1].ended)


async def test_to_stop_waits_until_all_is_canceled(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.endless = True
    answers = [engine.generate(str(i), chat("a fox")) for i in range(3)]
    for answer in answers:
        await anext(answer)
    await engine.stop()
    assert len(platform.predictions) == 4
    assert all(running.ended for running in platform.predictions)
    for answer in answers:
        await answer.aclose()


async def test_to_cancel_is_tried_again_and_a_prediction_that_goes_on_is_told(
    engine: ReplicateEngine, platform: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    platform.endless = True
    platform.streams_at_all = False
    for refusals in ([problem(503, "Busy", "again")] * 3, [not_found()]):
        answer = engine.generate("x", chat("a fox"))
        await anext(answer)
        platform.refusals += refusals
        await answer.aclose()
        await until(lambda: not platform.refusals)
    await until(lambda: platform.predictions[-2].ended)
    await until(lambda: platform.predictions[-1].id in caplog.text)
    assert not platform.predictions[-1].ended
    assert TOKEN not in caplog.text


async def test_a_call_that_got_no_answer_is_not_made_twice(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.cut_short = True
    calls = len(platform.bodies)
    error = await refused(engine, chat("a fox"))
    assert error.code == "engine_failed"
    assert len(platform.bodies) == calls + 1


async def test_a_look_is_repeated_and_a_call_that_is_refused_is_not(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.streams_at_all = False
    answer = engine.generate("x", chat("a fox", max_tokens=2))
    await anext(answer)
    platform.refusals += [problem(500, "Oops", "again"), problem(429, "Slow", "down", {"Retry-After": "0"})]
    async with asyncio.timeout(10):
        rest = [chunk async for chunk in answer]
    assert isinstance(rest[0], Delta)
    platform.refusals.append(problem(500, "Oops", "again"))
    calls = len(platform.bodies)
    assert (await refused(engine, chat("a fox"))).code == "engine_failed"
    assert len(platform.bodies) == calls + 1


@pytest.mark.parametrize(
    ("status", "code", "retry_after_s"),
    [(401, "engine_failed", None), (402, "upstream_budget", None), (429, "engine_busy", 7), (503, "engine_busy", 7)],
)
async def test_a_refusal_is_told_in_the_engines_words(
    engine: ReplicateEngine, platform: StandIn, status: int, code: str, retry_after_s: float | None
) -> None:
    headers = {"Retry-After": "7"} if retry_after_s else None
    platform.refusals.append(problem(status, "No", f"Not with {TOKEN}", headers))
    error = await refused(engine, chat("a fox"))
    assert (error.code, error.retry_after_s) == (code, retry_after_s)


async def test_a_model_that_is_gone_is_told_with_how_to_write_one(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.refusals.append(not_found())
    error = await refused(engine, chat("a fox"))
    assert error.code == "bad_model_source"
    assert "owner/name:version" in error.message


async def test_an_input_that_is_not_taken_is_named_as_the_caller_wrote_it(platform: StandIn) -> None:
    engine = await warm(platform)
    error = await refused(engine, chat("a fox", max_tokens=5000))
    assert (error.code, error.parameter) == ("invalid_request", "max_tokens")
    assert "4096" in error.message
    await engine.close()


async def test_what_the_model_does_not_take_is_refused_before_anything_is_begun(
    engine: ReplicateEngine, platform: StandIn
) -> None:
    calls = len(platform.bodies)
    assert (await refused(engine, chat("a fox", logit_bias={"1": 2}))).parameter == "logit_bias"
    assert (await refused(engine, Prompt(texts=("a fox", (5, 6))))).parameter == "prompt"
    assert (await refused(engine, chat("a fox"), said=(Said(text="Once"),))).code == "cannot_continue"
    assert len(platform.bodies) == calls


async def test_a_prediction_that_fails_tells_why_behind_its_words(engine: ReplicateEngine, platform: StandIn) -> None:
    platform.failure = "CUDA out of memory (E1001)"
    answer = engine.generate("x", chat("a fox", max_tokens=2))
    deltas: list[Any] = []
    with pytest.raises(EngineError, match=r"CUDA out of memory \(E1001\)") as failed:
        async for chunk in answer:
            deltas.append(chunk)
    assert failed.value.code == "engine_failed"
    assert len(deltas) == 4
    # What failed has computed, and is paid for.
    assert deltas[-1].seconds == platform.predictions[-1].metrics["predict_time"]


@pytest.mark.parametrize("status", ["canceled", "aborted"])
async def test_a_prediction_that_the_platform_ends_died(
    engine: ReplicateEngine, platform: StandIn, status: str
) -> None:
    platform.endless = True
    answer = engine.generate("x", chat("a fox"))
    await anext(answer)
    platform.predictions[-1].end(status)
    with pytest.raises(EngineError, match=status) as died:
        async for _ in answer:
            pass
    assert died.value.code == "engine_died"


async def test_each_choice_is_a_prediction_with_a_chance_of_its_own(engine: ReplicateEngine, platform: StandIn) -> None:
    await ask(engine, chat("a fox", max_tokens=1, n=3, seed=7))
    assert [asked["seed"] for asked in platform.inputs[1:]] == [7, 8, 9]

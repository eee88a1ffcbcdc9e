"""An upstream that breaks, refuses, lingers or lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from engines.base import Delta, Prompt, Said
from engines.errors import EngineError
from engines.openai.engine import OpenAIEngine
from engines.openai.upstream import Upstream
from tests.engines.asking import ask, chat
from tests.engines.openai.fake import DONE, Answer, Fake, asking, event, faking, said, told
from tests.waiting import until

END = event(said(None, "stop"))


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with faking() as fake:
        yield fake


@pytest.fixture
async def engine(fake: Fake) -> AsyncIterator[OpenAIEngine]:
    async with asking(fake, key="sk-secret", health_s=0.01) as engine:
        yield engine


async def failure(engine: OpenAIEngine) -> EngineError:
    with pytest.raises(EngineError) as failed:
        await ask(engine, chat("hi"))
    assert engine.running == 0
    assert "sk-secret" not in failed.value.message
    return failed.value


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_an_answer_is_the_same_wherever_its_bytes_are_cut(fake: Fake, engine: OpenAIEngine, size: int) -> None:
    data = b": hello\r\n\r\n" + event(said("é")) + event(said("🦊")) + END + DONE
    fake.answer = Answer([data[start : start + size] for start in range(0, len(data), size)])
    assert (await ask(engine, chat("hi"))).text() == "é🦊"


async def test_an_answer_without_done_is_whole_when_every_choice_ended(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = Answer([event(said("hi")), END.rstrip()])
    answer = await ask(engine, chat("hi"))
    assert (answer.text(), answer.finishes()) == ("hi", ["stop"])


async def test_a_response_that_lingers_after_its_end_is_not_waited_for(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = Answer([event(said("hi")), END, DONE], hang=True)
    assert (await ask(engine, chat("hi"), deadline_s=5)).text() == "hi"


async def test_a_connection_serves_the_next_answer_too(fake: Fake, engine: OpenAIEngine) -> None:
    for _ in range(3):
        await ask(engine, chat("hi"))
    assert fake.connections == 1


@pytest.mark.parametrize("cut", [True, False])
async def test_an_answer_that_stops_in_the_middle_is_a_death(fake: Fake, engine: OpenAIEngine, cut: bool) -> None:
    fake.answer = Answer([event(said("hi"))], cut=cut)
    assert (await failure(engine)).code == "engine_died"


async def test_an_error_amid_the_stream_is_told(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = Answer([event(said("hi")), b'data: {"error": {"message": "out of memory", "code": 500}}\n\n', DONE])
    error = await failure(engine)
    assert error.code == "engine_failed"
    assert "out of memory" in error.message


async def test_one_that_has_too_much_to_do_says_when_to_come_back(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = told(429, {"error": {"message": "slow down"}}, "Retry-After: 7")
    error = await failure(engine)
    assert (error.code, error.retry_after_s) == ("engine_busy", 7)


async def test_a_key_that_is_refused_is_not_repeated(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = told(401, {"error": {"message": "Incorrect API key provided: sk-secret"}})
    assert "refuses the key" in (await failure(engine)).message


async def test_what_is_no_stream_is_no_answer(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = told(200, {"choices": []})
    error = await failure(engine)
    assert error.code == "engine_failed"
    assert "application/json" in error.message


async def test_an_event_without_end_is_given_up(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = Answer([b"data: " + b"x" * (1 << 20)] * 6, hang=True)
    assert (await failure(engine)).code == "engine_failed"
    await asyncio.wait_for(fake.left.wait(), 10)


async def test_another_address_is_not_followed_to(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = Answer([], 307, headers=["Location: http://127.0.0.1:1/v1/chat/completions"])
    assert (await failure(engine)).code == "engine_failed"


async def test_headers_that_take_long_are_waited_for_until_the_caller_leaves(fake: Fake, engine: OpenAIEngine) -> None:
    fake.silent = True
    task = asyncio.create_task(ask(engine, chat("hi")))
    await until(lambda: fake.asked[-1].body is not None and "stream" in fake.asked[-1].body)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait_for(fake.left.wait(), 10)
    assert engine.running == 0


async def test_closing_the_answer_closes_its_connection(fake: Fake, engine: OpenAIEngine) -> None:
    fake.answer = Answer([event(said("hi"))], hang=True)
    async with aclosing(engine.generate("x", chat("hi"))) as answer:
        await anext(answer)
        assert isinstance(await anext(answer), Delta)
    await asyncio.wait_for(fake.left.wait(), 10)


async def test_one_that_is_gone_is_unreachable_and_found_dead(fake: Fake, engine: OpenAIEngine) -> None:
    death = asyncio.create_task(engine.died())
    await fake.close()
    assert (await failure(engine)).code == "engine_unreachable"
    assert "cannot be reached" in await asyncio.wait_for(death, 10)


async def test_one_that_says_it_is_not_well_is_found_dead_after_two_looks(fake: Fake, engine: OpenAIEngine) -> None:
    fake.paths["/health"] = told(500, {})
    assert "not well" in await asyncio.wait_for(engine.died(), 10)


async def test_one_miss_is_no_death(fake: Fake, engine: OpenAIEngine) -> None:
    death = asyncio.create_task(engine.died())
    looks = fake.once("/health", told(500, {}))
    await asyncio.wait_for(looks.wait(), 10)
    before = len(fake.asked)
    await until(lambda: len(fake.asked) > before + 3)
    assert not death.done()
    death.cancel()


async def test_an_answer_that_was_begun_is_not_continued_by_one_that_reads_no_tokens(engine: OpenAIEngine) -> None:
    with pytest.raises(EngineError) as refused:
        await ask(engine, chat("hi"), said=(Said(tokens=(1,), text="a"),))
    assert refused.value.code == "cannot_continue"


async def test_it_is_asked_with_its_key_and_the_generations_name(fake: Fake, engine: OpenAIEngine) -> None:
    await ask(engine, chat("hi"), id="gen_7")
    asked = fake.asked[-1]
    assert asked.headers["authorization"] == "Bearer sk-secret"
    assert asked.headers["x-request-id"] == "gen_7"


async def test_vectors_are_read_in_either_form_and_in_their_order(fake: Fake) -> None:
    fake.paths["/v1/chat/completions"] = told(404, {})
    item = {"object": "embedding", "embedding": [1.0, 2.0], "index": 0}
    fake.paths["/v1/embeddings"] = told(200, {"data": [item], "usage": {"prompt_tokens": 1}})
    async with asking(fake) as engine:
        assert (engine.traits.embeds, engine.traits.chat) == (True, False)
        short = {"embedding": "AABAQAAAgEA=", "index": 0}
        long = {"embedding": [1.0, 2.0], "index": 1}
        fake.paths["/v1/embeddings"] = told(200, {"data": [long, short], "usage": {"prompt_tokens": 5}})
        made = await engine.embed("x", Prompt(texts=("a", "b")))
    assert [memoryview(vector).cast("f").tolist() for vector in made.vectors] == [[3.0, 4.0], [1.0, 2.0]]
    assert made.prompt_tokens == 5


@pytest.mark.parametrize(
    ("models", "told_of"),
    [
        (told(200, {"data": [{"id": "a"}, {"id": "b"}]}), "serves a, b; name one"),
        (told(401, {}), "refuses the key"),
        (Answer([b"<html>"], type="text/html"), "is the URL right?"),
        (told(404, {}), "404"),
    ],
)
async def test_one_that_cannot_be_met_is_told_at_the_boot(fake: Fake, models: Answer, told_of: str) -> None:
    fake.paths["/v1/models"] = models
    engine = OpenAIEngine(Upstream(url=fake.url))
    with pytest.raises(EngineError) as failed:
        await engine.start(lambda stage: None)
    await engine.close()
    assert failed.value.code == "boot_failed"
    assert told_of in failed.value.message


async def test_one_that_answers_no_prompt_is_not_warm(fake: Fake) -> None:
    fake.paths["/v1/chat/completions"] = told(400, {"error": {"message": "no weights"}})
    with pytest.raises(EngineError) as failed:
        async with asking(fake):
            pass
    assert failed.value.code == "boot_failed"
    assert "no weights" in failed.value.message


async def test_one_that_is_paid_no_more_is_told_as_such_at_the_boot(fake: Fake) -> None:
    fake.paths["/v1/chat/completions"] = told(402, {"error": {"message": "Insufficient credits"}})
    mine = OpenAIEngine(Upstream(url=fake.url))
    with pytest.raises(EngineError) as failed:
        await mine.start(lambda stage: None)
    await mine.close()
    assert failed.value.code == "upstream_budget"


async def test_one_that_loads_is_waited_for(fake: Fake) -> None:
    looks = fake.once("/v1/models", told(503, {"error": {"message": "Loading model"}}))
    async with asking(fake) as engine:
        assert looks.is_set()
        await engine.beat()


async def test_what_determines_its_answers_is_its_version(fake: Fake) -> None:
    async with asking(fake) as engine:
        first = engine.traits.version
    async with asking(fake) as engine:
        assert engine.traits.version == first
    fake.paths["/version"] = told(200, {"version": "0.33.0"})
    async with asking(fake) as engine:
        assert engine.traits.version != first


async def test_metrics_are_told_by_upstream(fake: Fake, engine: OpenAIEngine) -> None:
    text = b'# HELP vllm:x Some.\n# TYPE vllm:x counter\nvllm:x{model="a"} 1.0\nvllm:y 2\n# EOF\nnonsense\n'
    fake.paths["/metrics"] = Answer([text], type="text/plain")
    host = fake.url.removeprefix("http://").removesuffix("/v1")
    assert (await engine.metrics()).splitlines() == [
        "# HELP vllm:x Some.",
        "# TYPE vllm:x counter",
        f'vllm:x{{upstream="{host}",model="a"}} 1.0',
        f'vllm:y{{upstream="{host}"}} 2',
    ]


async def test_one_without_metrics_has_none(engine: OpenAIEngine) -> None:
    assert await engine.metrics() == ""

"""The official Python SDK is content, asynchronous and not, on any engine."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionToolParam

from tests.gateway.surfaces.conftest import Reached
from tests.gateway.surfaces.raw import engine_of
from tests.serving import serving
from tests.waiting import until

HELLO: list[Any] = [{"role": "user", "content": "Once upon a time"}]
LOOK: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"token": {"type": "integer"}}}},
}


@pytest.fixture
async def sdk(openai_url: Reached) -> AsyncIterator[AsyncOpenAI]:
    anew = {"cache-control": "no-store"}
    async with AsyncOpenAI(
        base_url=openai_url.url, api_key="none", max_retries=0, timeout=60, default_headers=anew
    ) as client:
        yield client


async def test_chat_is_answered(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    answer = await sdk.chat.completions.create(
        model=openai_url.model, messages=HELLO, max_completion_tokens=8, temperature=0
    )
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == openai_url.model
    [choice] = answer.choices
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage and 0 < answer.usage.completion_tokens <= 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_chat_streams_what_it_answers(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    ask: Any = {"model": openai_url.model, "messages": HELLO, "max_tokens": 8, "temperature": 0}
    plain = await sdk.chat.completions.create(**ask)
    stream = await sdk.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text == plain.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == plain.choices[0].finish_reason
    assert chunks[-1].usage == plain.usage and chunks[-1].choices == []
    assert len({chunk.id for chunk in chunks}) == 1


async def test_stream_helper_follows_every_event(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    async with sdk.chat.completions.stream(model=openai_url.model, messages=HELLO, max_tokens=8) as stream:
        events = [event async for event in stream]
        # `get_final_completion` would take an answer that ends at its limit for an error.
        whole = stream.current_completion_snapshot
    deltas = [event.delta for event in events if event.type == "content.delta"]
    assert "".join(deltas) == whole.choices[0].message.content
    assert events[-1].type == "content.done"


async def test_several_choices_are_kept_apart(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    stream = await sdk.chat.completions.create(
        model=openai_url.model, messages=HELLO, n=3, max_tokens=6, temperature=1, seed=7, stream=True
    )
    ended: dict[int, str] = {}
    async for chunk in stream:
        for choice in chunk.choices:
            assert choice.index not in ended
            if choice.finish_reason:
                ended[choice.index] = choice.finish_reason
    plain = await sdk.chat.completions.create(model=openai_url.model, messages=HELLO, n=3, max_tokens=6)
    assert sorted(ended) == [choice.index for choice in plain.choices] == [0, 1, 2]


async def test_log_probabilities_are_given_for_each_token(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    ask: Any = {"model": openai_url.model, "messages": HELLO, "max_tokens": 5, "logprobs": True, "top_logprobs": 1}
    plain = await sdk.chat.completions.create(**ask, temperature=0)
    told = plain.choices[0].logprobs
    assert told and told.content and plain.usage
    assert len(told.content) == plain.usage.completion_tokens
    assert all(token.logprob <= 0 and len(token.top_logprobs) >= 1 for token in told.content)
    stream = await sdk.chat.completions.create(**ask, temperature=0, stream=True)
    streamed = [token async for chunk in stream for token in _tokens(chunk.choices[0])]
    assert [token.token for token in streamed] == [token.token for token in told.content]


def _tokens(choice: Any) -> list[Any]:
    return choice.logprobs.content if choice.logprobs else []


async def test_completion_is_answered_and_streamed(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    ask: Any = {"model": openai_url.model, "prompt": ["Once", "Upon"], "max_tokens": 6, "temperature": 0}
    plain = await sdk.completions.create(**ask)
    assert plain.id.startswith("cmpl-") and plain.object == "text_completion"
    texts = {choice.index: choice.text for choice in plain.choices}
    assert sorted(texts) == [0, 1]
    streamed = {0: "", 1: ""}
    async for chunk in await sdk.completions.create(**ask, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert streamed == texts


async def test_completion_log_probabilities_are_columns(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    answer = await sdk.completions.create(model=openai_url.model, prompt="Once", max_tokens=4, logprobs=1)
    told = answer.choices[0].logprobs
    assert told and told.tokens and told.token_logprobs and told.text_offset and told.top_logprobs
    assert len(told.tokens) == len(told.token_logprobs) == len(told.text_offset) == len(told.top_logprobs)


async def test_models_are_listed(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    listed = [model async for model in sdk.models.list()]
    assert openai_url.model in [model.id for model in listed]
    assert (await sdk.models.retrieve(openai_url.model)).owned_by == "hearth"


async def test_errors_are_the_sdks_own(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await sdk.chat.completions.create(model="nobody", messages=HELLO)
    assert (unknown.value.code, unknown.value.param) == ("unknown_model", "model")
    assert unknown.value.request_id
    with pytest.raises(openai.BadRequestError) as wrong:
        await sdk.chat.completions.create(model=openai_url.model, messages=HELLO, temperature=3, stream=True)
    assert (wrong.value.code, wrong.value.param) == ("invalid_request", "temperature")
    assert wrong.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as misshapen:
        await sdk.completions.create(model=openai_url.model, prompt=[])
    assert misshapen.value.param == "prompt"


async def test_headers_are_there_for_who_asks(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    raw = await sdk.chat.completions.with_raw_response.create(
        model=openai_url.model, messages=HELLO, max_tokens=2, extra_headers={"x-request-id": "mine"}
    )
    assert raw.headers["location"] == f"/v1/streams/{raw.headers['x-generation-id']}"
    assert raw.parse()._request_id == "mine"


async def test_a_retry_with_its_key_is_the_same_answer(sdk: AsyncOpenAI, openai_url: Reached) -> None:
    key = {"Idempotency-Key": secrets.token_hex(16)}
    ask: Any = {"model": openai_url.model, "messages": HELLO, "max_tokens": 20, "temperature": 1, "extra_headers": key}
    plain = await sdk.chat.completions.create(**ask)
    assert await sdk.chat.completions.create(**ask) == plain
    chunks = [chunk async for chunk in await sdk.chat.completions.create(**ask, stream=True)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain.choices[0].message.content
    assert {(chunk.id, chunk.created) for chunk in chunks} == {(plain.id, plain.created)}


async def test_client_without_asyncio_is_served_as_well(openai_url: Reached) -> None:
    def story() -> tuple[str, str, str]:
        with OpenAI(base_url=openai_url.url, api_key="none", max_retries=0, timeout=60) as sdk:
            ask: Any = {"model": openai_url.model, "messages": HELLO, "max_tokens": 8, "temperature": 0}
            plain = sdk.chat.completions.create(**ask).choices[0].message.content
            streamed = "".join(
                chunk.choices[0].delta.content or "" for chunk in sdk.chat.completions.create(**ask, stream=True)
            )
            return plain or "", streamed, sdk.models.list().data[0].id

    plain, streamed, model = await asyncio.to_thread(story)
    assert plain and plain == streamed
    assert model == openai_url.model


async def test_tools_are_called_plainly_and_in_fragments() -> None:
    async with serving("demo=scripted:?tool=look&tokens=3") as served, _sdk(served.url) as sdk:
        ask: Any = {"model": "demo", "messages": HELLO, "tools": [LOOK]}
        plain = await sdk.chat.completions.create(**ask, tool_choice="required")
        async with sdk.chat.completions.stream(**ask) as stream:
            streamed = await stream.get_final_completion()
    for answer in (plain, streamed):
        [choice] = answer.choices
        assert choice.finish_reason == "tool_calls" and choice.message.tool_calls
        [call] = choice.message.tool_calls
        assert call.type == "function" and call.id == "call_scripted"
        assert (call.function.name, call.function.arguments) == ("look", '{"token": 0}')


async def test_failure_in_the_middle_raises_after_what_was_said() -> None:
    async with serving("demo=scripted:?crash_at=3&token_ms=1") as served, _sdk(served.url) as sdk:
        said = []
        with pytest.raises(openai.APIError) as failed:
            async for chunk in await sdk.chat.completions.create(model="demo", messages=HELLO, stream=True):
                said.append(chunk.choices[0].delta.content or "")
    assert "".join(said)
    assert failed.value.code == "engine_died" and failed.value.type == "server_error"


async def test_failure_that_may_pass_is_tried_again() -> None:
    async with serving("demo=scripted:?fail_at=1") as served, _sdk(served.url, max_retries=1) as sdk:
        with pytest.raises(openai.InternalServerError) as failed:
            await sdk.chat.completions.create(model="demo", messages=HELLO)
        assert failed.value.code == "engine_failed"
        assert len(engine_of(served).aborted) == 2


async def test_stream_that_is_left_stops_the_engine() -> None:
    async with serving("demo=scripted:?tokens=100000&token_ms=1") as served, _sdk(served.url) as sdk:
        async with await sdk.chat.completions.create(model="demo", messages=HELLO, stream=True) as stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
        await until(lambda: served.gateway.running == 0)
        assert len(engine_of(served).aborted) == 1


def _sdk(url: str, max_retries: int = 0) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=max_retries, timeout=60)

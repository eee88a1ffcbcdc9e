"""A real `vllm serve`: every promise of an engine, and what only a real server can show."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import msgspec
import pytest
import pytest_asyncio

from engines.base import UNTOLD, Delta, Engine, Prompt, Said
from engines.errors import EngineError
from engines.openai.engine import OpenAIEngine
from engines.openai.upstream import Upstream
from tests.engines.asking import ask, begin_and_leave, chat, goes_on_everywhere, said_in
from tests.engines.contract import EngineContract
from tests.engines.openai.vllm_serve import MODEL, vllm_serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

KEY = "sk-only-for-tests"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    tools = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    with vllm_serve(MODEL, "campfire", "--enable-prompt-tokens-details", *tools, key=KEY) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream(url: str) -> AsyncIterator[OpenAIEngine]:
    engine = OpenAIEngine(Upstream(url=url, key=KEY))
    await engine.start(lambda stage: None)
    yield engine
    await engine.close()


class TestContract(EngineContract):
    @pytest.fixture
    def engine(self, upstream: OpenAIEngine) -> Engine:
        return upstream


async def counted(engine: Engine, name: str) -> float:
    """One of vLLM's own metrics."""
    found = re.search(rf"^vllm:{name}{{[^}}]*}} (\S+)$", await engine.metrics(), re.MULTILINE)
    assert found, name
    return float(found[1])


async def until_nothing_runs(engine: Engine) -> None:
    """Wait until vLLM itself says so."""
    async with asyncio.timeout(10):
        while await counted(engine, "num_requests_running"):
            pass


async def test_what_it_is_is_found_out(upstream: OpenAIEngine) -> None:
    traits = upstream.traits
    assert (traits.context_length, traits.chat, traits.embeds) == (2048, True, False)
    assert traits.version is not None


async def test_without_its_key_nothing_boots_and_the_key_is_not_told(url: str) -> None:
    engine = OpenAIEngine(Upstream(url=url, key="sk-wrong"))
    with pytest.raises(EngineError) as failed:
        await engine.start(lambda stage: None)
    await engine.close()
    assert failed.value.code == "boot_failed"
    assert "refuses the key" in failed.value.message
    assert "sk-wrong" not in failed.value.message


async def test_closing_the_answer_aborts_it_in_vllm(upstream: OpenAIEngine) -> None:
    endless = chat("Tell me a story.", max_tokens=1900, ignore_eos=True)
    before = await counted(upstream, "generation_tokens_total")
    async with aclosing(upstream.generate("left", endless)) as answer:
        for _ in range(4):
            await anext(answer)
        assert await counted(upstream, "num_requests_running") == 1
    await until_nothing_runs(upstream)
    assert await counted(upstream, "generation_tokens_total") - before < 1000


async def test_a_hundred_that_leave_leave_nothing_behind(upstream: OpenAIEngine) -> None:
    endless = chat("Tell me a story.", max_tokens=1900, ignore_eos=True)
    await asyncio.gather(*(begin_and_leave(upstream, endless, chunks % 4) for chunks in range(100)))
    await until_nothing_runs(upstream)
    assert upstream.running == 0


async def test_a_prompt_that_was_read_before_is_told_as_cached(upstream: OpenAIEngine) -> None:
    prompt = chat("Tell me a story about a fox. " * 40, max_tokens=1)
    first, second = [(await ask(upstream, prompt)).accepted for _ in range(2)]
    assert first.prompt_tokens == second.prompt_tokens
    assert second.cached_tokens >= 128


async def test_every_token_is_told(upstream: OpenAIEngine) -> None:
    answer = await ask(upstream, chat("Tell me a story about a fox.", temperature=0))
    assert answer.tokens > 20
    assert all(token >= 0 for delta in answer.deltas for token in delta.tokens)
    assert answer.finishes() == ["stop"]


async def test_log_probabilities_come_with_their_tokens(upstream: OpenAIEngine) -> None:
    chatted = await ask(upstream, chat("fox", max_tokens=5, logprobs=True, top_logprobs=3, temperature=0))
    written = await ask(
        upstream, Prompt(texts=("A fox",), parameters={"max_tokens": 5, "logprobs": 3, "temperature": 0})
    )
    for answer in (chatted, written):
        said = [entry for delta in answer.deltas for entry in delta.logprobs]
        assert len(said) == 5
        for entry in said:
            assert len(entry.top) == 3
            assert entry.top[0] == (entry.token, entry.logprob)


async def test_a_tool_is_called_by_name_with_arguments_that_fit(upstream: OpenAIEngine) -> None:
    properties = {"animal": {"type": "string", "enum": ["fox", "owl"]}}
    schema = {"type": "object", "properties": properties, "required": ["animal"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "tell", "parameters": schema, "strict": True}}
    chosen = {"type": "function", "function": {"name": "tell"}}
    answer = await ask(upstream, chat("A story!", tools=[tool], tool_choice=chosen, max_tokens=200))
    calls = [call["function"] for delta in answer.deltas for call in delta.tool_calls]
    assert [call["name"] for call in calls if call.get("name")] == ["tell"]
    assert json.loads("".join(call.get("arguments") or "" for call in calls))["animal"] in ("fox", "owl")
    assert answer.text() == ""
    assert len(answer.finishes()) == 1


async def test_a_prompt_is_said_again_where_that_is_asked_for(upstream: OpenAIEngine) -> None:
    answer = await ask(upstream, Prompt(texts=("Once upon a",), parameters={"max_tokens": 2, "echo": True}))
    assert answer.text().startswith("Once upon a ")
    assert answer.tokens == 2


@pytest.mark.parametrize(
    ("parameters", "code", "parameter"),
    [
        ({"temperature": "hot"}, "invalid_request", "temperature"),
        ({"max_tokens": 100_000}, "invalid_request", "max_tokens"),
        ({"response_format": {"type": "json_schema"}}, "invalid_request", None),
    ],
)
async def test_what_it_refuses_is_the_callers_fault(
    upstream: OpenAIEngine, parameters: dict[str, object], code: str, parameter: str | None
) -> None:
    with pytest.raises(EngineError) as refused:
        await ask(upstream, chat("fox", **parameters))
    assert refused.value.code == code
    assert parameter in (None, refused.value.parameter)


@pytest.mark.parametrize(
    "parameters", [{"frequency_penalty": 1.5, "logit_bias": {"355": -5.0}}, {"repetition_penalty": 1.2}]
)
async def test_penalties_and_biases_hold_across_the_seam(upstream: OpenAIEngine, parameters: dict[str, object]) -> None:
    await goes_on_everywhere(
        upstream, chat("Tell me a story about an owl.", max_tokens=16, temperature=0, **parameters)
    )


async def test_a_stop_string_of_several_tokens_is_heeded_across_the_seam(upstream: OpenAIEngine) -> None:
    prompt = chat("Tell me a story about a whale.", max_tokens=24, temperature=0)
    words = (await ask(upstream, prompt)).text().split()
    parameters = prompt.parameters | {"stop": [" ".join(words[7:11]), "never said"]}
    whole = await goes_on_everywhere(upstream, msgspec.structs.replace(prompt, parameters=parameters))
    assert whole.deltas[-1].finish == "stop"


@pytest.mark.parametrize("stop", [[], ["漢漢", "字"]])
async def test_a_character_that_was_cut_apart_is_whole(upstream: OpenAIEngine, stop: list[str]) -> None:
    # The three bytes of one character, in tokens of one byte each; the penalty makes them take turns, and holds only
    # where the tokens so far are counted.
    turns = {"frequency_penalty": 2, "allowed_token_ids": [167, 125, 100], "ignore_eos": True, "stop": stop}
    prompt = chat("Tell me a story about a fox.", max_tokens=24, temperature=0, **turns)
    whole = await goes_on_everywhere(upstream, prompt)
    assert any(not delta.text for delta in whole.deltas)
    assert "漢" in whole.text()


@pytest.mark.parametrize(
    "parameters",
    [
        {"response_format": {"type": "json_object"}},
        {"bad_words": ["fox"]},
        {"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]},
    ],
)
async def test_what_cannot_be_known_is_not_continued(upstream: OpenAIEngine, parameters: dict[str, object]) -> None:
    prompt = chat("Tell me a story.", max_tokens=8, temperature=0)
    deltas = (await ask(upstream, prompt)).deltas[:3]
    asked = msgspec.structs.replace(prompt, parameters=prompt.parameters | parameters)
    with pytest.raises(EngineError) as refused:
        await ask(upstream, asked, said=said_in(asked, deltas))
    assert refused.value.code == "cannot_continue"


async def test_tokens_that_were_not_told_are_no_place_to_go_on_from(upstream: OpenAIEngine) -> None:
    prompt = chat("Tell me a story.", max_tokens=8, temperature=0)
    for said in (Said(tokens=(UNTOLD,) * 3, text="Once upon a"), Said(text="Once upon a")):
        with pytest.raises(EngineError) as refused:
            await ask(upstream, prompt, said=(said,))
        assert refused.value.code == "cannot_continue"


async def test_an_answer_that_was_read_otherwise_is_not_continued(upstream: OpenAIEngine) -> None:
    prompt = chat("Tell me a story.", max_tokens=8, temperature=0)
    (said,) = said_in(prompt, (await ask(upstream, prompt)).deltas[:3])
    for text in ("", "something else"):
        with pytest.raises(EngineError) as refused:
            await ask(upstream, prompt, said=(msgspec.structs.replace(said, text=text),))
        assert refused.value.code == "cannot_continue"


async def test_a_choice_that_had_not_begun_begins_beside_one_that_goes_on(upstream: OpenAIEngine) -> None:
    prompt = Prompt(texts=("Once upon a time", "A fox"), parameters={"max_tokens": 6, "temperature": 0})
    whole = await ask(upstream, prompt)
    before = [delta for delta in whole.deltas if delta.choice == 0][:2]
    rest = await ask(upstream, prompt, said=said_in(prompt, before))
    assert said_in(prompt, [*before, *rest.deltas]) == said_in(prompt, whole.deltas)
    assert {type(delta) for delta in rest.deltas} == {Delta}

"""Real vLLM goes on where it stopped, whatever stood between the tokens and their text."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from engines import registry
from engines.base import UNTOLD, Delta, Engine, Prompt, Said
from engines.errors import EngineError
from engines.vllm.hosting import BUNDLED
from tests.engines.asking import Answer, ask, chat, ends, goes_on_everywhere, said_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

MODELS = (
    "campfire=vllm:bundled",
    "caller=vllm:bundled?enable_auto_tool_choice=true&tool_call_parser=hermes",
)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
FOX = "Tell me a story about a fox."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Engine]]:
    """The engines of this file, cold: one nursery serves them all."""
    thinker = f"thinker=vllm:{thinking_model(tmp_path_factory.mktemp('thinker'))}?reasoning_parser=deepseek_r1"
    built = {
        place.id: place.engine for place in registry.build([registry.parse(written) for written in (*MODELS, thinker)])
    }
    yield built
    for engine in built.values():
        await engine.close()


def thinking_model(folder: Path) -> Path:
    """Campfire with a full stop that reads `</think>`: its first sentence is reasoning."""
    shutil.copytree(BUNDLED, folder, dirs_exist_ok=True)
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    model = tokenizer["model"]
    for old, new in (("_", "<think>"), (".", "</think>")):
        id = model["vocab"][new] = model["vocab"].pop(old)
        likewise = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
        tokenizer["added_tokens"].append({"id": id, "content": new} | likewise)
        model["merges"] = [merge for merge in model["merges"] if old not in merge]
    file.write_text(json.dumps(tokenizer))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vllm(engines: dict[str, Engine]) -> Engine:
    engine = engines["campfire"]
    await engine.start(lambda stage: None)
    return engine


def greedy(content: str, **parameters: Any) -> Prompt:
    return chat(content, temperature=0, **parameters)


def changed(prompt: Prompt, **parameters: Any) -> Prompt:
    return msgspec.structs.replace(prompt, parameters=prompt.parameters | parameters)


async def refused(engine: Engine, prompt: Prompt, said: Said) -> str:
    """The code of the refusal that comes before the first chunk."""
    with pytest.raises(EngineError) as error:
        await anext(engine.generate("refused", prompt, (said,)))
    return error.value.code


async def test_a_character_that_was_cut_apart_is_whole(vllm: Engine) -> None:
    # The three bytes of one character, in tokens of one byte each; the penalty makes them take turns, and holds only
    # where the tokens so far are counted.
    prompt = greedy(FOX, max_tokens=24, frequency_penalty=2, allowed_token_ids=[167, 125, 100], ignore_eos=True)
    whole = await goes_on_everywhere(vllm, prompt)
    assert whole.tokens == 24
    assert any(not delta.text for delta in whole.deltas)
    assert any("漢" in delta.text for delta in whole.deltas)


async def test_a_stop_string_may_straddle_the_place(vllm: Engine) -> None:
    prompt = greedy("Tell me a story about a lighthouse.", max_tokens=40)
    text = (await ask(vllm, prompt)).text()
    stop = text[50:62]
    whole = await goes_on_everywhere(vllm, changed(prompt, stop=[stop, "this never comes, and is long"]))
    assert whole.text() == text[: text.index(stop)]
    assert whole.deltas[-1].stop == stop
    included = await goes_on_everywhere(vllm, changed(prompt, stop=[stop], include_stop_str_in_output=True))
    assert included.text() == text[: text.index(stop)] + stop


async def test_a_stop_string_is_waited_for_as_long_as_asked(vllm: Engine) -> None:
    prompt = greedy(FOX, max_tokens=30, min_tokens=20)
    word = (await ask(vllm, prompt)).deltas[8].text
    whole = await goes_on_everywhere(vllm, changed(prompt, stop=[word]))
    assert whole.tokens >= 20


async def test_a_story_ends_where_it_would_have(vllm: Engine) -> None:
    prompt = greedy("Tell me a story about a goat.")
    whole = await ask(vllm, prompt)
    middle = len(whole.deltas) // 2
    rest = await ask(vllm, prompt, said=said_in(prompt, whole.deltas[:middle]))
    assert rest.finishes() == ["stop"]
    assert rest.deltas == whole.deltas[middle:]


async def test_an_echoed_prompt_is_not_said_again(vllm: Engine) -> None:
    parameters = {"echo": True, "max_tokens": 6, "temperature": 0}
    whole = await goes_on_everywhere(vllm, Prompt(texts=("Once upon a time", (74, 83, 92)), parameters=parameters))
    assert whole.text().startswith("Once upon a time")
    assert whole.text(1).startswith("fox")


async def test_a_prompt_that_is_cut_is_cut_the_same_way(vllm: Engine) -> None:
    prompt = Prompt(texts=("Once upon a time there was a fox",), parameters={"temperature": 0, "max_tokens": 6})
    whole = await goes_on_everywhere(vllm, changed(prompt, truncate_prompt_tokens=3))
    assert whole.accepted.prompt_tokens == 3


async def test_log_probabilities_come_with_new_tokens_alone(vllm: Engine) -> None:
    prompt = greedy(FOX, max_tokens=8, logprobs=True, top_logprobs=2)
    whole = await ask(vllm, prompt)
    rest = await ask(vllm, prompt, said=said_in(prompt, whole.deltas[:5]))
    assert [entry.token for entry in logprobs(rest)] == [entry.token for entry in logprobs(whole)[5:]]
    for new, old in zip(logprobs(rest), logprobs(whole)[5:], strict=True):
        assert new.logprob == pytest.approx(old.logprob, abs=0.1)


def logprobs(answer: Answer) -> list[Any]:
    return [entry for delta in answer.deltas for entry in delta.logprobs]


async def test_a_whole_context_ends_at_its_end(vllm: Engine) -> None:
    assert vllm.traits.context_length
    prompt = greedy(FOX, ignore_eos=True)
    whole = await ask(vllm, prompt)
    rest = await ask(vllm, prompt, said=said_in(prompt, whole.deltas[:-2]))
    assert rest.deltas == whole.deltas[-2:]
    assert whole.accepted.prompt_tokens + whole.tokens == vllm.traits.context_length


async def test_chance_goes_on_with_a_seed_and_without(vllm: Engine) -> None:
    for parameters in ({"seed": 7}, {}):
        prompt = chat(FOX, temperature=1.0, max_tokens=20, n=2, **parameters)
        whole = await ask(vllm, prompt)
        rest = await ask(vllm, prompt, said=said_in(prompt, whole.deltas[:11]))
        assert whole.tokens - 11 >= rest.tokens > 0


async def test_text_that_readers_had_not_been_given_comes_first(vllm: Engine) -> None:
    prompt = greedy(FOX, max_tokens=10)
    whole = await ask(vllm, prompt)
    (said,) = said_in(prompt, whole.deltas[:6])
    late = msgspec.structs.replace(said, text=said.text[:-4])
    rest = await ask(vllm, prompt, said=(late,))
    assert rest.deltas[0] == Delta(0, said.text[-4:])
    assert late.text + rest.text() == whole.text()


async def test_a_stop_string_that_stands_in_what_was_said_ends_it_at_once(vllm: Engine) -> None:
    prompt = greedy(FOX, max_tokens=10)
    (said,) = said_in(prompt, (await ask(vllm, prompt)).deltas[:6])
    rest = await ask(vllm, changed(prompt, stop=[said.text[-3:]]), said=(msgspec.structs.replace(said, text=""),))
    assert rest.deltas == [Delta(0, said.text[:-3], finish="stop", stop=said.text[-3:])]


@pytest.mark.parametrize(
    "parameters",
    [
        {"response_format": {"type": "json_object"}},
        {"structured_outputs": {"choice": ["yes", "no"]}},
        {"bad_words": ["once upon"]},
    ],
)
async def test_what_vllm_would_forget_is_refused_once_it_was_begun(vllm: Engine, parameters: dict[str, Any]) -> None:
    prompt = greedy(FOX, max_tokens=4, **parameters)
    whole = await ask(vllm, prompt)
    (begun,) = said_in(prompt, whole.deltas[:1])
    assert begun.tokens
    assert await refused(vllm, prompt, msgspec.structs.replace(begun, finished=False)) == "cannot_continue"
    assert (await ask(vllm, prompt, said=(Said(),))).text() == whole.text()
    assert vllm.running == 0


async def test_tokens_that_were_not_told_are_refused(vllm: Engine) -> None:
    assert await refused(vllm, greedy(FOX), Said(tokens=(UNTOLD,) * 3, text="Once upon a")) == "cannot_continue"


async def test_tokens_that_say_something_else_are_refused(vllm: Engine) -> None:
    said = Said(tokens=(74, 83, 92), text="owl")
    assert await refused(vllm, greedy(FOX), said) == "cannot_continue"


async def test_text_behind_a_tool_parser_goes_on(engines: dict[str, Engine]) -> None:
    engine = engines["caller"]
    await engine.start(lambda stage: None)
    prompt = greedy(FOX, max_tokens=16, tools=[TOOL], tool_choice="auto")
    whole = await goes_on_everywhere(engine, prompt)
    # Half its tokens are `<`, which may begin a tool call, so the parser keeps them until it knows better.
    kept = await goes_on_everywhere(engine, changed(prompt, logit_bias={"32": 20}, frequency_penalty=2))
    begun = Said(tokens=whole.deltas[0].tokens, tool_calls=True)
    code = await refused(engine, prompt, begun)
    await engine.stop()
    assert whole.tokens == kept.tokens == 16
    assert any(len(delta.tokens) > 1 for delta in kept.deltas)
    assert code == "cannot_continue"


async def test_reasoning_goes_on(engines: dict[str, Engine]) -> None:
    engine = engines["thinker"]
    await engine.start(lambda stage: None)
    prompt = greedy(FOX, max_tokens=40)
    whole = await goes_on_everywhere(engine, prompt)
    hidden = await goes_on_everywhere(engine, changed(prompt, include_reasoning=False))
    await engine.stop()
    assert "".join(delta.reasoning for delta in whole.deltas).startswith("Once upon a time")
    assert whole.text()
    assert not any(delta.reasoning for delta in hidden.deltas)
    assert ends(hidden.deltas) == {(0, "length", None)}

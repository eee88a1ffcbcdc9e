"""Real vLLM on the bundled model: every promise of an engine, and what only a real engine can show."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engines import registry
from engines.base import Engine, Prompt
from engines.campfire import words
from engines.errors import EngineError
from engines.vllm.engine import VllmEngine
from tests.engines.asking import ask, begin_and_leave, chat
from tests.engines.contract import EngineContract

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


MODELS = ("campfire=vllm:bundled", "caller=vllm:bundled?enable_auto_tool_choice=true&tool_call_parser=hermes")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines() -> AsyncIterator[dict[str, Engine]]:
    """The engines of this file, cold: one nursery serves them all."""
    built = {place.id: place.engine for place in registry.build([registry.parse(written) for written in MODELS])}
    yield built
    for engine in built.values():
        await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vllm(engines: dict[str, Engine]) -> VllmEngine:
    """The engine of most tests, warm; a test that stops it starts it again."""
    engine = engines["campfire"]
    assert isinstance(engine, VllmEngine)
    async with asyncio.timeout(200):
        await engine.start(lambda stage: None)
    return engine


class TestContract(EngineContract):
    @pytest.fixture
    def engine(self, vllm: VllmEngine) -> Engine:
        return vllm


async def counted(engine: Engine, name: str) -> float:
    """One of vLLM's own metrics."""
    found = re.search(rf"^vllm:{name}{{[^}}]*}} (\S+)$", await engine.metrics(), re.MULTILINE)
    assert found, name
    return float(found[1])


async def test_a_story_is_told_as_text_and_tokens(vllm: VllmEngine) -> None:
    answer = await ask(vllm, chat("Tell me a story about a fox.", temperature=0))
    assert "fox" in answer.text()
    assert answer.finishes() == ["stop"]
    assert answer.tokens > 20


async def test_a_plain_token_is_read_the_short_way_and_told_and_counted_as_by_vllm(vllm: VllmEngine) -> None:
    prompt = chat("Tell me a story about a fox.", temperature=0, max_tokens=60, ignore_eos=True)
    # A stop string that never comes has every token go vllm's own way.
    whole = chat("Tell me a story about a fox.", stop=["\x00"], temperature=0, max_tokens=60, ignore_eos=True)
    told, counts = [], []
    for asked in (whole, prompt):
        names = ("generation_tokens_total", "inter_token_latency_seconds_count")
        before = [await counted(vllm, name) for name in names]
        answer = await ask(vllm, asked)
        told.append(([delta.text for delta in answer.deltas], [delta.tokens for delta in answer.deltas]))
        counts.append([await counted(vllm, name) - was for name, was in zip(names, before, strict=True)])
    assert told[0] == told[1]
    assert counts == [[60, 59], [60, 59]]


async def test_greedy_answers_repeat(vllm: VllmEngine) -> None:
    prompt = chat("Tell me a story about a lighthouse.", temperature=0, max_tokens=60)
    assert (await ask(vllm, prompt)).text() == (await ask(vllm, prompt)).text()


async def test_a_seed_repeats_an_answer_and_another_seed_does_not(vllm: VllmEngine) -> None:
    def told(seed: int) -> Prompt:
        return chat("Tell me a story.", temperature=1.0, seed=seed, max_tokens=60)

    first, again, other = [(await ask(vllm, told(seed))).text() for seed in (7, 7, 8)]
    assert first == again != other


async def test_a_stop_string_ends_the_answer_before_it(vllm: VllmEngine) -> None:
    answer = await ask(vllm, chat("Tell me a story about a fox.", temperature=0, stop=["."]))
    assert "." not in answer.text()
    assert answer.finishes() == ["stop"]
    assert answer.deltas[-1].stop == "."


async def test_an_answer_can_be_made_to_go_on(vllm: VllmEngine) -> None:
    answer = await ask(vllm, chat("fox", max_tokens=300, min_tokens=300, ignore_eos=True))
    assert answer.tokens == 300
    assert answer.finishes() == ["length"]


async def test_log_probabilities_come_with_their_tokens(vllm: VllmEngine) -> None:
    answer = await ask(vllm, chat("fox", max_tokens=5, logprobs=True, top_logprobs=3, temperature=0))
    said = [entry for delta in answer.deltas for entry in delta.logprobs]
    assert len(said) == 5
    for entry in said:
        assert entry.logprob <= 0
        assert len(entry.top) == 3
        assert entry.top[0] == (entry.token, entry.logprob)
        assert sorted((p for _, p in entry.top), reverse=True) == [p for _, p in entry.top]


async def test_a_json_schema_is_kept(vllm: VllmEngine) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "brave": {"type": "boolean"}},
        "required": ["name", "brave"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "hero", "schema": schema}}
    answer = await ask(vllm, chat("A hero.", response_format=wanted, max_tokens=200))
    told = json.loads(answer.text())
    assert isinstance(told["name"], str)
    assert isinstance(told["brave"], bool)


async def test_a_choice_is_kept(vllm: VllmEngine) -> None:
    answer = await ask(vllm, chat("Yes or no?", structured_outputs={"choice": ["yes", "no"]}))
    assert answer.text() in ("yes", "no")


async def test_a_tool_is_called_by_name_with_arguments_that_fit(engines: dict[str, Engine]) -> None:
    engine = engines["caller"]
    await engine.start(lambda stage: None)
    properties = {"animal": {"type": "string", "enum": ["fox", "owl"]}}
    schema = {"type": "object", "properties": properties, "required": ["animal"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "tell", "parameters": schema, "strict": True}}
    chosen = {"type": "function", "function": {"name": "tell"}}
    answer = await ask(engine, chat("A story!", tools=[tool], tool_choice=chosen, max_tokens=200))
    await engine.stop()
    calls = [call for delta in answer.deltas for call in delta.tool_calls]
    assert [call["function"]["name"] for call in calls if call["function"].get("name")] == ["tell"]
    assert json.loads("".join(call["function"].get("arguments") or "" for call in calls))["animal"] in ("fox", "owl")
    assert answer.text() == ""
    assert answer.tokens > 5
    assert len(answer.finishes()) == 1


async def test_a_socket_that_cannot_be_made_is_told(
    vllm: VllmEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await vllm.stop()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr("engines.vllm.engine._short_folder", lambda: None)
    with pytest.raises(EngineError) as refused:
        await vllm.start(lambda stage: None)
    assert refused.value.code == "boot_failed"
    assert "TMPDIR" in refused.value.message
    monkeypatch.undo()
    await start_again(vllm)


async def test_a_folder_with_a_long_name_is_no_hindrance(vllm: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/" + "long" * 40)
    await start_again(vllm)


async def test_a_prompt_is_said_again_where_that_is_asked(vllm: VllmEngine) -> None:
    prompt = Prompt(texts=("Once upon a time",), parameters={"echo": True, "max_tokens": 4, "temperature": 0})
    assert (await ask(vllm, prompt)).text().startswith("Once upon a time")


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"temprature": 1}, "temprature"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no"}}}}, None),
        ({"allowed_token_ids": [10_000_000]}, None),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "#"}}}}, None),
        ({"stop": ["x" * 100_000] * 8}, "stop"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}, None),
    ],
)
async def test_what_vllm_does_not_take_is_refused_in_words(
    vllm: VllmEngine, parameters: dict[str, Any], parameter: str | None
) -> None:
    with pytest.raises(EngineError) as refused:
        await ask(vllm, chat("x", **parameters))
    assert refused.value.code == "invalid_request"
    assert refused.value.message
    assert parameter is None or refused.value.parameter == parameter
    assert vllm.running == 0


async def test_a_token_that_is_none_is_refused(vllm: VllmEngine) -> None:
    for token in (10_000_000, 2**62):
        with pytest.raises(EngineError) as refused:
            await ask(vllm, Prompt(texts=((token,),), parameters={"max_tokens": 1}))
        assert refused.value.code == "invalid_request"


async def test_a_refused_prompt_disturbs_no_other(vllm: VllmEngine) -> None:
    prompt = chat("Tell me a story about a fox.", temperature=0, max_tokens=40)
    alone = (await ask(vllm, prompt)).text()
    answers = await asyncio.gather(
        *(ask(vllm, prompt, f"good-{i}") for i in range(4)),
        *(ask(vllm, chat("x", nonsense=1), f"bad-{i}") for i in range(4)),
        return_exceptions=True,
    )
    assert [answer.text() for answer in answers[:4] if not isinstance(answer, BaseException)] == [alone] * 4
    assert all(isinstance(answer, EngineError) for answer in answers[4:])


async def test_stories_about_topics_it_never_saw_are_batched_name_them_and_end(vllm: VllmEngine) -> None:
    topics = words.held_out_topics()
    prompts = [chat(f"Tell me a story about {topic}.", temperature=0, max_tokens=220) for topic in topics]
    peak = 0.0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, await counted(vllm, "num_requests_running"))

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(*(ask(vllm, prompt, f"batch-{i}") for i, prompt in enumerate(prompts)))
    watching.cancel()
    assert peak >= 32
    assert all(len(answer.finishes()) == 1 for answer in answers)
    good = [
        answer.finishes() == ["stop"] and words.bare(topic).lower() in answer.text().lower()
        for topic, answer in zip(topics, answers, strict=True)
    ]
    assert sum(good) >= 0.8 * len(topics)


@pytest.mark.parametrize("chunks", [0, 1, 5])
async def test_vllm_itself_lets_go_of_what_was_left(vllm: VllmEngine, chunks: int) -> None:
    await begin_and_leave(vllm, chat("x", max_tokens=1500, ignore_eos=True), chunks)
    async with asyncio.timeout(0.25):
        while await counted(vllm, "num_requests_running"):
            pass


async def test_the_death_of_the_engine_core_reaches_every_generation(vllm: VllmEngine) -> None:
    core = await engine_core_of(vllm)
    endless = chat("x", max_tokens=1500, ignore_eos=True)
    running = [asyncio.create_task(ask(vllm, endless, f"dies-{i}")) for i in range(3)]
    async with asyncio.timeout(20):
        while not await counted(vllm, "num_requests_running"):
            pass
    os.kill(core, signal.SIGKILL)
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert {getattr(outcome, "code", outcome) for outcome in outcomes} == {"engine_died"}
    assert await asyncio.wait_for(vllm.died(), 10)
    await start_again(vllm)


async def test_the_death_of_the_host_is_noticed_and_takes_the_engine_core_along(vllm: VllmEngine) -> None:
    core = await engine_core_of(vllm)
    assert vllm.pid is not None
    os.kill(vllm.pid, signal.SIGKILL)
    assert await asyncio.wait_for(vllm.died(), 10)
    async with asyncio.timeout(10):
        while lives(core):  # noqa: ASYNC110
            await asyncio.sleep(0)
    await start_again(vllm)


async def test_a_cold_engine_has_no_process_left_and_boots_again_fast(vllm: VllmEngine) -> None:
    host, core = vllm.pid, await engine_core_of(vllm)
    await vllm.stop()
    assert not Path(f"/proc/{host}").exists()
    assert not Path(f"/proc/{core}").exists()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await vllm.start(lambda stage: None)
    # Measured: 0.6 s. The bound is wide because test machines are busy.
    assert loop.time() - began < 6


async def test_a_boot_that_is_given_up_leaves_nothing_behind(vllm: VllmEngine) -> None:
    await vllm.stop()
    loading = asyncio.Event()
    booting = asyncio.create_task(vllm.start(lambda stage: loading.set() if "weights" in stage else None))
    await asyncio.wait_for(loading.wait(), 20)
    booting.cancel()
    await asyncio.wait([booting])
    assert vllm.pid is not None
    host = vllm.pid
    async with asyncio.timeout(3):
        await vllm.stop()
    assert not lives(host)
    await start_again(vllm)


async def start_again(engine: VllmEngine) -> None:
    await engine.stop()
    await engine.start(lambda stage: None)
    assert (await ask(engine, chat("Are you back?", max_tokens=2))).tokens == 2


def lives(pid: int) -> bool:
    """Whether that process runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def engine_core_of(engine: VllmEngine) -> int:
    """The process that vLLM forked for its engine core."""
    assert engine.pid is not None
    children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


async def test_it_says_what_it_is_and_what_it_puts_for_what_is_not_sent(vllm: VllmEngine) -> None:
    traits = vllm.traits
    assert traits.version is not None and len(traits.version) == 32
    # The bundled model's own configuration has a temperature; the rest is vLLM's.
    assert traits.chat_defaults["temperature"] == traits.text_defaults["temperature"] == 0.8
    assert (traits.chat_defaults["add_special_tokens"], traits.text_defaults["add_special_tokens"]) == (False, True)
    assert {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "n": 1}.items() <= traits.chat_defaults.items()


@pytest.mark.parametrize("kind", ["chat", "text"])
async def test_defaults_spelled_out_are_taken_and_change_nothing(vllm: VllmEngine, kind: str) -> None:
    plain = {"max_tokens": 12, "temperature": 0.0}
    bare = chat("Tell me a story.", **plain) if kind == "chat" else Prompt(texts=("Once",), parameters=plain)
    spelled = Prompt(messages=bare.messages, texts=bare.texts, parameters=vllm.traits.defaults(bare) | plain)
    assert (await ask(vllm, spelled)).text() == (await ask(vllm, bare)).text()


async def test_what_was_in_the_prefix_cache_is_told_of_all_texts_together(vllm: VllmEngine) -> None:
    texts = tuple(f"{animal} " * 300 for animal in ("fox", "owl"))
    first = await ask(vllm, Prompt(texts=texts, parameters={"max_tokens": 2}))
    again = await ask(vllm, Prompt(texts=texts, parameters={"max_tokens": 2}))
    assert first.accepted.cached_tokens < 256 <= again.accepted.cached_tokens < again.accepted.prompt_tokens
    assert first.accepted.prompt_tokens == again.accepted.prompt_tokens

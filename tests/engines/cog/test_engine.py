"""Real Cog, run from folders: every promise of an engine, and what only predictors do."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engines.base import UNTOLD_SCHEMA, Accepted, Chunk, Delta, Engine, LogLine, Measured, Output, Prompt
from engines.cog.engine import CogEngine
from engines.errors import EngineError
from tests.engines.asking import ask, chat
from tests.engines.cog.carrier import MemoryPorter
from tests.engines.cog.conftest import Begin
from tests.engines.contract import AnsweringContract
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speaker(begin: Begin) -> CogEngine:
    return await begin("speaker")


class TestContract(AnsweringContract):
    @pytest.fixture
    def engine(self, speaker: CogEngine) -> Engine:
        return speaker


async def predict(engine: Engine, files: dict[str, Any] | None = None, **inputs: Any) -> list[Chunk]:
    """All that a prediction gives."""
    async with asyncio.timeout(30):
        return [chunk async for chunk in engine.generate("asked", Prompt(inputs=inputs, files=files or {}))]


async def refused(engine: Engine, **inputs: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await predict(engine, **inputs)
    await until(lambda: engine.running == 0)
    return caught.value


def outputs(chunks: list[Chunk]) -> list[Any]:
    return [chunk.value for chunk in chunks if isinstance(chunk, Output)]


async def test_an_iterator_gives_each_value_as_an_output_of_its_own(speaker: CogEngine) -> None:
    chunks = await predict(speaker, prompt="a fox", max_tokens=3)
    assert isinstance(chunks[0], Accepted)
    assert [value[-2:] for value in outputs(chunks)] == [".0", ".1", ".2"]
    assert chunks[-1] == Delta(0, finish="stop")


async def test_what_it_prints_and_measures_comes_along(speaker: CogEngine) -> None:
    chunks = await predict(speaker, prompt="a fox", voice="high")
    assert [chunk.text for chunk in chunks if isinstance(chunk, LogLine)] == ["told a fox\n"]
    measured = {chunk.name: chunk.value for chunk in chunks if isinstance(chunk, Measured)}
    assert measured["voice"] == "high"
    assert 0 < measured["predict_time"] < 5


async def test_its_files_lie_beside_it_and_its_folder_stays_as_it_is(speaker: CogEngine) -> None:
    folder = Path(__file__).parent / "folders" / "speaker"
    await predict(speaker, prompt="a fox")
    assert {path.name for path in folder.iterdir()} == {"cog.yaml", "predict.py", "words.py", "beside.txt"}


async def test_its_process_is_told_little_of_where_it_runs(speaker: CogEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_API_KEYS", "secret")
    await speaker.stop()
    await speaker.start(lambda stage: None)
    [names] = outputs(await predict(speaker, prompt="environment"))
    assert {"PATH", "HOME", "PASSED", "TMPDIR"} <= set(names.split())
    assert not {name for name in names.split() if "HEARTH" in name or "TOKEN" in name}


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "input.prompt"),
        ({"prompt": "x", "max_tokens": 0}, "input.max_tokens"),
        ({"prompt": "x", "voice": "loud"}, "input.voice"),
        ({"prompt": "x", "picture": "/etc/passwd"}, "input.picture"),
        ({"prompt": "x", "picture": "file:///etc/passwd"}, "input.picture"),
    ],
)
async def test_inputs_it_does_not_take_are_refused_by_name(
    speaker: CogEngine, inputs: dict[str, Any], field: str
) -> None:
    error = await refused(speaker, **inputs)
    assert (error.code, error.parameter) == ("invalid_request", field)


async def test_what_the_program_raises_is_the_prompts_own_failure(speaker: CogEngine) -> None:
    error = await refused(speaker, prompt="fail")
    assert (error.code, error.message) == ("prediction_failed", "ValueError: this is not for me")
    assert outputs(await predict(speaker, prompt="next", max_tokens=1))


async def test_too_little_memory_is_told_as_such(speaker: CogEngine) -> None:
    error = await refused(speaker, prompt="memory")
    assert error.code == "prediction_failed"
    assert error.message.startswith("The model ran out of memory: MemoryError: CUDA out of memory.")


async def test_a_worker_that_ends_is_told_to_who_asked_and_to_who_watches(speaker: CogEngine) -> None:
    watching = asyncio.create_task(speaker.died())
    error = await refused(speaker, prompt="die")
    assert error.code == "engine_died"
    assert await asyncio.wait_for(watching, 10) == "The model's worker process ended."
    await speaker.leave()
    await speaker.start(lambda stage: None)
    assert outputs(await predict(speaker, prompt="again"))


async def test_a_server_that_ends_is_seen(speaker: CogEngine) -> None:
    watching = asyncio.create_task(speaker.died())
    leash = leash_of(speaker)
    [server] = children(leash)
    os.kill(server, signal.SIGKILL)
    assert "ended with 137" in await asyncio.wait_for(watching, 10)
    await speaker.leave()
    await speaker.start(lambda stage: None)


async def test_nothing_of_it_is_left_when_it_is_stopped(speaker: CogEngine) -> None:
    leash = leash_of(speaker)
    [server] = children(leash)
    [worker] = children(server)
    await speaker.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in (leash, server, worker))
    await speaker.start(lambda stage: None)


async def test_nothing_of_it_is_left_when_whoever_started_it_is_killed(speaker: CogEngine) -> None:
    leash = leash_of(speaker)
    [server] = children(leash)
    [worker] = children(server)
    # All that a killed process does: its end of the pipe closes.
    program = program_of(speaker)
    program._process.stdin.close()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (server, worker)))
    await speaker.leave()
    await speaker.start(lambda stage: None)


async def test_nothing_of_it_is_left_when_what_holds_it_is_killed(speaker: CogEngine) -> None:
    leash = leash_of(speaker)
    [server] = children(leash)
    [worker] = children(server)
    watching = asyncio.create_task(speaker.died())
    os.kill(leash, signal.SIGKILL)
    assert await asyncio.wait_for(watching, 10)
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (server, worker)))
    await speaker.leave()
    await speaker.start(lambda stage: None)


async def test_who_asked_a_server_that_is_killed_is_told_so(speaker: CogEngine) -> None:
    [server] = children(leash_of(speaker))
    with pytest.raises(EngineError) as caught:
        async for chunk in speaker.generate("asked", Prompt(inputs={"prompt": "on", "max_tokens": 100_000})):
            if isinstance(chunk, Output):
                os.kill(server, signal.SIGKILL)
    assert caught.value.code == "engine_died"
    assert caught.value.message.startswith("The model's process ended with 137. It was killed")
    await speaker.leave()
    await speaker.start(lambda stage: None)


async def test_a_predictor_that_is_decorated_is_given_defaults_and_none_for_what_is_left_out(begin: Begin) -> None:
    decorated = await begin("decorated")
    assert outputs(await predict(decorated)) == ["None None None 3 None"]
    given = await predict(decorated, word="a", count=None, size=4, mode="fast")
    assert outputs(given) == ["a None None 4 fast"]
    assert (await refused(decorated, mode="slow")).parameter == "input.mode"


async def test_a_signal_to_the_servers_group_is_not_its_own(speaker: CogEngine) -> None:
    leash = leash_of(speaker)
    assert os.getpgid(leash) not in (os.getpgid(0), *map(os.getpgid, children(leash)))


async def test_what_it_takes_and_gives_is_known_of_a_cold_one_that_ran_before(
    speaker: CogEngine, make: Callable[..., CogEngine]
) -> None:
    cold = make("speaker").traits
    assert cold.schema == speaker.traits.schema
    assert cold.version == speaker.traits.version
    assert cold.schema is not None
    inputs = cold.schema["components"]["schemas"]["Input"]
    assert inputs["required"] == ["prompt"]
    assert inputs["properties"]["max_tokens"] == {
        "title": "Max Tokens",
        "type": "integer",
        "minimum": 1,
        "maximum": 100_000,
        "default": 5,
        "x-order": 1,
    }
    assert cold.schema["components"]["schemas"]["voice"]["enum"] == ["low", "high"]
    assert cold.schema["paths"]["/predictions"]["post"]["x-cog-streaming"] is True


async def test_one_that_never_ran_may_take_anything_until_it_is_looked_at(make: Callable[..., CogEngine]) -> None:
    unknown = make("speaker", **{"env.WEIGHTS": "none"}).traits
    assert unknown.version is not None
    assert unknown.chat
    assert unknown.schema is not None
    assert unknown.schema["components"]["schemas"]["Input"]["properties"] == {}


async def test_one_that_is_looked_at_tells_what_it_takes_and_is_not_booted(make: Callable[..., CogEngine]) -> None:
    engine = make("speaker", **{"env.LOOKED": "at"})
    assert engine.traits.schema is UNTOLD_SCHEMA
    await engine.look()
    assert engine.traits.schema is not None
    assert engine.traits.schema["components"]["schemas"]["Input"]["required"] == ["prompt"]
    assert engine._predictor is None
    await engine.close()


@pytest.mark.parametrize("source", ["unspoken", "http://127.0.0.1:9"])
async def test_one_that_cannot_be_looked_at_says_why(make: Callable[..., CogEngine], source: str) -> None:
    with pytest.raises(EngineError) as caught:
        await make(source).look()
    assert caught.value.code == "boot_failed"
    assert "return type annotation" in caught.value.message or "cannot be reached" in caught.value.message


async def test_a_container_is_looked_at_where_it_answers(speaker: CogEngine, make: Callable[..., CogEngine]) -> None:
    assert speaker._predictor is not None
    container = make(speaker._predictor.running.server.url)
    await container.look()
    assert container.traits.schema is not None
    assert container.traits.schema["components"]["schemas"]["Input"]["required"] == ["prompt"]


async def test_who_waits_for_a_boot_hears_what_a_look_does_for_it(make: Callable[..., CogEngine]) -> None:
    engine = make("speaker", **{"env.HEARD": "by"})
    stages: list[str] = []
    looking = asyncio.create_task(engine.look())
    await until(lambda: engine._preparing.locked())
    await engine.start(stages.append)
    await looking
    assert "looking at the predictor" in stages
    await engine.close()


async def test_other_settings_are_another_version(make: Callable[..., CogEngine]) -> None:
    versions = {make("speaker").traits.version, make("lister").traits.version}
    versions.add(make("speaker", **{"env.WEIGHTS": "large"}).traits.version)
    assert len(versions) == 3


async def test_a_list_is_one_output(begin: Begin) -> None:
    lister = await begin("lister")
    assert outputs(await predict(lister)) == [["0", "1", "2"]]
    assert outputs(await predict(lister, count=1)) == [["0"]]
    assert outputs(await predict(lister, count=0)) == [[]]


async def test_one_that_takes_no_prompt_answers_no_chat(begin: Begin) -> None:
    lister = await begin("lister")
    assert not lister.traits.chat
    with pytest.raises(EngineError) as caught:
        await ask(lister, chat("hello"))
    assert (caught.value.code, caught.value.parameter) == ("invalid_request", "model")


async def test_as_many_run_at_once_as_it_says_and_the_others_wait(begin: Begin) -> None:
    crowd = await begin("crowd")
    answers = await asyncio.gather(*(predict(crowd, number=number) for number in range(8)))
    given = [outputs(answer)[0] for answer in answers]
    assert [one["number"] for one in given] == list(range(8))
    # The first four meet each other; the fifth comes when one of them has gone.
    assert sorted(one["met"] for one in given)[:4] == [4, 4, 4, 4]


async def test_who_leaves_the_line_holds_up_nobody(begin: Begin) -> None:
    crowd = await begin("crowd")
    held = [asyncio.create_task(predict(crowd, number=number, of=100)) for number in range(4)]
    await until(lambda: crowd.running == 4)
    waiting = asyncio.create_task(predict(crowd, number=9, of=1))
    await until(lambda: crowd.running == 5)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert crowd.running == 4
    for task in held:
        task.cancel()
    await asyncio.wait(held)
    assert outputs(await predict(crowd, number=1, of=1))[0]["number"] == 1


async def test_the_slot_of_one_that_does_not_hear_is_free_when_it_has_ended(begin: Begin) -> None:
    stubborn = await begin("stubborn")
    async with aclosing(stubborn.generate("left", Prompt(inputs={"seconds": 0.5}))) as answer:
        assert isinstance(await anext(answer), Accepted)
    assert stubborn.running == 0
    assert outputs(await predict(stubborn, seconds=0)) == ["waited"]


async def test_a_file_comes_and_goes_by_the_porter(begin: Begin, porter: MemoryPorter) -> None:
    painter = await begin("painter")
    given = porter.add("note.md", b"hello there")
    chunks = await predict(painter, {given.id: given}, text=given.id)
    assert LogLine("suffix .md\n") in chunks
    [output] = [chunk for chunk in chunks if isinstance(chunk, Output)]
    kept = output.files[output.value]
    assert (kept.name, kept.content_type) == ("painted.txt", "text/plain")
    assert porter.kept[kept.id] == b"HELLO THERE"
    assert porter.owners[kept.id] == "asked"


async def test_what_lies_elsewhere_is_fetched_by_the_porter_alone(begin: Begin, porter: MemoryPorter) -> None:
    painter = await begin("painter")
    porter.web["http://10.0.0.1/a/note.txt"] = b"far"
    [output] = [one for one in await predict(painter, text="http://10.0.0.1/a/note.txt") if isinstance(one, Output)]
    assert porter.kept[output.value] == b"FAR"
    assert "http://10.0.0.1/a/note.txt" in porter.asked


async def test_what_cannot_be_fetched_is_told_in_the_porters_words(begin: Begin) -> None:
    painter = await begin("painter")
    error = await refused(painter, text="http://10.0.0.1/none")
    assert (error.code, error.message) == ("invalid_request", "There is nothing at http://10.0.0.1/none.")


async def test_a_file_that_a_server_keeps_for_its_owner_is_never_fetched(begin: Begin, porter: MemoryPorter) -> None:
    painter = await begin("painter")
    own = f"http://10.0.0.1/replicate/v1/files/u{'0' * 32}"
    porter.web[own] = b'{"id": "facts"}'
    error = await refused(painter, text=own)
    assert (error.code, error.parameter) == ("invalid_request", "input.text")
    assert own not in porter.asked
    porter.web[f"{own}/signed/note.txt"] = b"given out"
    assert await predict(painter, text=f"{own}/signed/note.txt")


async def test_files_within_an_object_are_kept_in_their_order(begin: Begin, porter: MemoryPorter) -> None:
    binder = await begin("binder")
    given = porter.add("one.txt", b"one")
    data = f"data:text/plain;base64,{base64.b64encode(b'two').decode()}"
    chunks = await predict(binder, {given.id: given}, pages=[given.id, data])
    [output] = [chunk for chunk in chunks if isinstance(chunk, Output)]
    assert [porter.kept[page] for page in output.value["pages"]] == [b"one bound", b"two bound"]
    assert set(output.value["pages"]) == output.files.keys()
    # What looks like a file and is none by the schema stays as the model wrote it.
    assert output.value["title"] == "data:text/plain;base64,bm8="


@pytest.mark.parametrize(
    ("how", "why"), [("folder", "directory"), ("closed", "No such file"), ("miss", "all.png: No ")]
)
async def test_a_file_that_is_not_there_is_a_failure(begin: Begin, how: str, why: str) -> None:
    error = await refused(await begin("loser"), how=how)
    assert error.code == "prediction_failed"
    assert error.message.startswith("The model gave a file that is not there. ")
    assert why in error.message and "/nowhere" not in error.message


async def test_nothing_where_something_must_be_is_a_failure(begin: Begin) -> None:
    error = await refused(await begin("loser"), how="none")
    assert (error.code, "null" in error.message) == ("prediction_failed", True)


@pytest.mark.parametrize("there", [0, 1])
async def test_a_list_with_a_file_that_is_not_there_is_a_failure(begin: Begin, there: int) -> None:
    # Whatever its log is wished to be, it is read.
    losers = await begin("losers", **{"env.LOG_FORMAT": "console", "env.RUST_LOG": "off"})
    error = await refused(losers, there=there)
    assert (error.code, "all.png" in error.message) == ("prediction_failed", True)
    [output] = [chunk for chunk in await predict(losers, there=2, lost=0) if isinstance(chunk, Output)]
    assert len(output.value) == 2


async def test_a_setup_that_fails_says_why(make: Callable[..., CogEngine]) -> None:
    unsound = make("unsound")
    stages: list[str] = []
    with pytest.raises(EngineError) as caught:
        await unsound.start(stages.append)
    assert caught.value.code == "boot_failed"
    assert "RuntimeError: no weights are here" in caught.value.message
    assert "looking at the predictor" in stages
    await unsound.close()


async def test_a_predictor_that_does_not_say_what_it_gives_is_refused(make: Callable[..., CogEngine]) -> None:
    unspoken = make("unspoken")
    with pytest.raises(EngineError) as caught:
        await unspoken.start(lambda stage: None)
    assert caught.value.code == "boot_failed"
    assert "must have a return type annotation" in caught.value.message
    # Lines, not letters: how long the paths in it are is not ours.
    assert len(caught.value.message.splitlines()) <= 21


async def test_a_setup_that_does_not_end_is_given_up(make: Callable[..., CogEngine]) -> None:
    vanishing = make("vanishing", start_s="2")
    with pytest.raises(EngineError) as caught:
        await vanishing.start(lambda stage: None)
    assert caught.value.code == "boot_failed"


async def test_a_container_is_asked_by_its_address(speaker: CogEngine, make: Callable[..., CogEngine]) -> None:
    assert speaker._predictor is not None
    url = speaker._predictor.running.server.url
    container = make(url)
    await container.start(lambda stage: None)
    assert container.traits.schema is not None
    assert len(outputs(await predict(container, prompt="a fox", max_tokens=3))) == 3
    await container.stop()
    assert outputs(await predict(speaker, prompt="it was not ended", max_tokens=1))


async def test_a_container_that_is_not_there_is_waited_for_and_then_given_up(make: Callable[..., CogEngine]) -> None:
    with pytest.raises(EngineError) as caught:
        await make("http://127.0.0.1:9", start_s="0.2").start(lambda stage: None)
    assert caught.value.code == "boot_failed"


def program_of(engine: CogEngine) -> Any:
    assert engine._predictor is not None
    assert engine._predictor.running.program is not None
    return engine._predictor.running.program


def leash_of(engine: CogEngine) -> int:
    pid: int = program_of(engine).pid
    return pid


def children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]

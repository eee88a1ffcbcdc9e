"""What every engine promises. A backend's own test file subclasses this and provides a warm `engine`."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from engines.base import Accepted, Chunk, Delta, Engine, Prompt, Said
from engines.errors import EngineError
from engines.pouring import pour
from tests.engines.asking import Answer, ask, begin_and_leave, chat, goes_on_everywhere, said_in, until_idle


class AnsweringContract:
    """`engine` is warm, and endless answers come when `max_tokens` is large and `ignore_eos` is set."""

    async def test_the_first_chunk_says_how_long_the_prompt_is(self, engine: Engine) -> None:
        answer = await ask(engine, chat("Tell me a story about a fox.", max_tokens=3))
        assert answer.accepted.prompt_tokens > 0

    async def test_an_answer_ends_once(self, engine: Engine) -> None:
        answer = await ask(engine, chat("Tell me a story about a fox.", max_tokens=3))
        assert answer.finishes() == ["length"]
        assert answer.deltas[-1].finish == "length"
        assert answer.tokens == 3

    async def test_every_choice_ends_once(self, engine: Engine) -> None:
        answer = await ask(engine, chat("Tell me a story about a fox.", max_tokens=4, n=3))
        assert [answer.finishes(choice) for choice in range(3)] == [["length"]] * 3
        assert answer.tokens == 12

    async def test_answers_asked_at_once_do_not_cross(self, engine: Engine) -> None:
        prompts = [chat(f"Tell me a story about a {animal}.", max_tokens=12, temperature=0) for animal in ANIMALS]
        alone = [(await ask(engine, prompt)).text() for prompt in prompts]
        together = await asyncio.gather(*(ask(engine, prompt, str(i)) for i, prompt in enumerate(prompts)))
        assert [answer.text() for answer in together] == alone

    async def test_closing_the_iterator_frees_the_engine(self, engine: Engine) -> None:
        for chunks in (0, 1, 3):
            await begin_and_leave(engine, chat("Tell me a story.", max_tokens=1000, ignore_eos=True), chunks)
            await until_idle(engine, 0.25)

    async def test_what_is_poured_is_what_is_generated(self, engine: Engine) -> None:
        prompt = chat("Tell me a story about a heron.", max_tokens=12, temperature=0)
        poured: list[Chunk] = []
        async with asyncio.timeout(60):
            await pour(engine, "poured", prompt, (), poured.append)
        accepted, *deltas = poured
        assert isinstance(accepted, Accepted)
        answer = Answer(accepted, [delta for delta in deltas if isinstance(delta, Delta)])
        assert (answer.text(), answer.finishes()) == ((await ask(engine, prompt)).text(), ["length"])
        assert engine.running == 0

    async def test_to_cancel_a_pour_frees_the_engine(self, engine: Engine) -> None:
        begun = asyncio.Event()
        endless = chat("Tell me a story.", max_tokens=1000, ignore_eos=True)
        pouring = asyncio.create_task(pour(engine, "left", endless, (), lambda chunk: begun.set()))
        await asyncio.wait_for(begun.wait(), 60)
        pouring.cancel()
        await asyncio.wait([pouring])
        assert pouring.cancelled()
        await until_idle(engine, 0.25)

    async def test_what_the_taker_raises_ends_the_answer(self, engine: Engine) -> None:
        def refuse(chunk: Chunk) -> None:
            if isinstance(chunk, Delta):
                raise OverflowError("no more")

        endless = chat("Tell me a story.", max_tokens=1000, ignore_eos=True)
        with pytest.raises(OverflowError, match="no more"):
            async with asyncio.timeout(60):
                await pour(engine, "refused", endless, (), refuse)
        await until_idle(engine, 0.25)

    async def test_a_finished_choice_says_nothing_more(self, engine: Engine) -> None:
        prompt = chat("Tell me a story about a crab.", max_tokens=4, n=3)
        whole = await ask(engine, prompt)
        first = [delta for delta in whole.deltas if delta.choice == 0]
        rest = await ask(engine, prompt, said=said_in(prompt, [*first, *whole.deltas[:1]]))
        assert {delta.choice for delta in rest.deltas} == {1, 2}
        nothing = await ask(engine, prompt, said=said_in(prompt, whole.deltas))
        assert nothing.deltas == []
        assert engine.running == 0

    async def test_an_answer_that_had_not_begun_begins(self, engine: Engine) -> None:
        prompt = chat("Tell me a story about a bear.", max_tokens=6, temperature=0)
        assert (await ask(engine, prompt, said=(Said(),))).text() == (await ask(engine, prompt)).text()

    async def test_a_beat_decodes_a_token(self, engine: Engine) -> None:
        await engine.beat()

    async def test_metrics_are_text(self, engine: Engine) -> None:
        assert isinstance(await engine.metrics(), str)

    async def test_a_stopped_engine_refuses_and_starts_again(self, engine: Engine) -> None:
        stages: list[str] = []
        await engine.stop()
        with pytest.raises(EngineError) as refused:
            await ask(engine, chat("Are you there?"))
        assert refused.value.code == "engine_died"
        await engine.start(stages.append)
        assert stages
        assert (await ask(engine, chat("Tell me a story.", max_tokens=2))).tokens == 2

    async def test_a_stop_fails_what_is_poured(self, engine: Engine) -> None:
        begun = asyncio.Event()
        endless = chat("Tell me a story.", max_tokens=1000, ignore_eos=True)
        pouring = asyncio.create_task(pour(engine, "cut", endless, (), lambda chunk: begun.set()))
        await asyncio.wait_for(begun.wait(), 60)
        await engine.stop()
        with pytest.raises(EngineError) as failed:
            await asyncio.wait_for(pouring, 10)
        assert failed.value.code == "engine_died"
        await engine.start(lambda stage: None)

    async def test_a_stop_fails_what_still_runs(self, engine: Engine) -> None:
        answer = engine.generate("cut", chat("Tell me a story.", max_tokens=1000, ignore_eos=True))
        assert isinstance(await anext(answer), Accepted)
        await engine.stop()
        with pytest.raises(EngineError) as failed:
            async with asyncio.timeout(10):
                async for _ in answer:
                    pass
        assert failed.value.code == "engine_died"
        await engine.start(lambda stage: None)


class EngineContract(AnsweringContract):
    """What an engine promises besides that has the model at hand: it knows every token, and goes on from any."""

    async def test_every_text_has_its_choices(self, engine: Engine) -> None:
        prompt = Prompt(texts=("Once upon a time", (5, 6, 7)), parameters={"max_tokens": 2, "n": 2})
        answer = await ask(engine, prompt)
        assert sorted({delta.choice for delta in answer.deltas}) == [0, 1, 2, 3]
        assert all(answer.finishes(choice) == ["length"] for choice in range(4))

    async def test_a_prompt_that_does_not_fit_is_refused_before_the_first_chunk(self, engine: Engine) -> None:
        assert engine.traits.context_length
        answer = engine.generate("long", chat("fox " * (engine.traits.context_length + 10)))
        with pytest.raises(EngineError) as refused:
            await anext(answer)
        assert refused.value.code == "context_length_exceeded"
        assert engine.running == 0

    async def test_an_answer_goes_on_from_every_token(self, engine: Engine) -> None:
        whole = await goes_on_everywhere(engine, chat("Tell me a story about a fox.", max_tokens=24, temperature=0))
        assert whole.tokens == 24

    async def test_a_stop_string_ends_an_answer_that_went_on(self, engine: Engine) -> None:
        prompt = chat("Tell me a story about a whale.", max_tokens=24, temperature=0)
        word = (await ask(engine, prompt)).deltas[15].text.strip()
        parameters = prompt.parameters | {"stop": [word]}
        whole = await goes_on_everywhere(engine, msgspec.structs.replace(prompt, parameters=parameters))
        assert (whole.deltas[-1].finish, whole.deltas[-1].stop) == ("stop", word)

    async def test_every_choice_goes_on_by_itself(self, engine: Engine) -> None:
        # The one best token, with a temperature: vLLM gives several greedy answers no other way. The prompt is one of
        # those where no two tokens are equally good, for among such it throws dice.
        prompt = chat("Tell me a story about a whale.", max_tokens=6, n=2, temperature=1, top_k=1)
        whole = await goes_on_everywhere(engine, prompt)
        assert [whole.finishes(choice) for choice in range(2)] == [["length"]] * 2

    async def test_every_text_goes_on_by_itself(self, engine: Engine) -> None:
        prompt = Prompt(texts=("Once upon a time", (5, 6, 7)), parameters={"max_tokens": 4, "temperature": 0})
        await goes_on_everywhere(engine, prompt)

    async def test_an_answer_that_was_as_long_as_asked_ends_at_once(self, engine: Engine) -> None:
        prompt = chat("Tell me a story about a goat.", max_tokens=4, temperature=0)
        (whole,) = said_in(prompt, (await ask(engine, prompt)).deltas)
        unended = msgspec.structs.replace(whole, finished=False)
        assert (await ask(engine, prompt, said=(unended,))).deltas == [Delta(0, finish="length")]

    async def test_closing_an_answer_that_went_on_frees_the_engine(self, engine: Engine) -> None:
        prompt = chat("Tell me a story.", max_tokens=1000, ignore_eos=True)
        begun = await ask(engine, chat("Tell me a story.", max_tokens=3, ignore_eos=True))
        (said,) = said_in(prompt, begun.deltas)
        said = msgspec.structs.replace(said, finished=False)
        await begin_and_leave(engine, prompt, 3, (said,))
        await until_idle(engine, 0.25)


ANIMALS = ("fox", "bear", "whale", "owl", "mouse", "horse", "crab", "goat")

"""A predictor that was packaged with Cog, as an engine: run from its folder here, or in a container elsewhere."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import NamedTuple

import msgspec

from engines.base import JSON, Accepted, Chunk, Embeddings, Prompt, Report, Said, Traits
from engines.cog import document, environment, introspection, running
from engines.cog.answers import Answer, failure
from engines.cog.document import Facts, Gives
from engines.cog.introspection import Looked
from engines.cog.predicting import Prediction
from engines.cog.running import Running
from engines.cog.slots import Slots
from engines.cog.source import Container, Recipe
from engines.cog.version import version_of
from engines.errors import EngineError
from engines.registry import Predictors
from engines.replicate.asking import ask, longest
from engines.replicate.counting import Counting


class _Life(NamedTuple):
    """From a start to a stop."""

    running: Running
    facts: Facts
    slots: Slots
    streams: bool
    """Whether predictions are told event by event."""


class CogEngine:
    """One predictor. A prompt with `inputs` is one prediction; one with text is one for each of its choices."""

    def __init__(self, source: Container | Recipe, predictors: Predictors) -> None:
        self._source = source
        self._cache = predictors.cache.expanduser()
        self._passed = predictors.passed
        self._life: _Life | None = None
        self._running: set[str] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._traits = Traits(chat=False, embeds=False)
        if isinstance(source, Recipe):
            with suppress(OSError):
                version = version_of(source)
                self._know(introspection.remembered(self._cache / "schemas", version), version)

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return len(self._running)

    async def start(self, report: Report) -> None:
        if isinstance(self._source, Container):
            up = await running.find(self._source, report)
            try:
                looked = Looked(await up.server.document(), self._source.concurrency)
                facts = document.read(looked.document)
            except BaseException as error:
                await up.close()
                if isinstance(error, EngineError):
                    raise EngineError("boot_failed", error.message) from error
                raise
            self._know(looked, None)
        else:
            up, looked = await self._begin(self._source, report)
            facts = document.read(looked.document)
        # Of an unknown value nobody could say whether its parts are one output.
        streams = facts.gives is not Gives.ANYTHING and (facts.says_streams or isinstance(self._source, Recipe))
        self._life = _Life(up, facts, Slots(looked.concurrency), streams)

    async def stop(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            await life.running.close()
        if self._ending:
            await asyncio.wait(self._ending)

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()

    async def close(self) -> None:
        await self.stop()

    async def died(self) -> str:
        return await self._living().running.ended()

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        life = self._living()
        if any(not one.finished and one != Said() for one in said):
            raise EngineError("cannot_continue", "A predictor does not go on from another's words.")
        self._running.add(id)
        try:
            async with aclosing(self._answer(life, id, prompt, said)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._running.discard(id)

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        raise EngineError("invalid_request", "Predictors make no embeddings here.", parameter="model")

    async def beat(self) -> None:
        """Ask how it is: what a prediction would take is known to nobody."""
        health = await self._living().running.server.health()
        if health.status not in running.UP:
            raise EngineError("engine_failed", f"The model's server says that it is {health.status}.")

    async def metrics(self) -> str:
        return ""

    async def _begin(self, recipe: Recipe, report: Report) -> tuple[Running, Looked]:
        report(f"reading {recipe.folder}")
        try:
            version = await asyncio.to_thread(version_of, recipe)
            schemas = self._cache / "schemas"
            python = recipe.python or await environment.find(recipe, self._cache, self._passed, report)
            looked = introspection.remembered(schemas, version)
            if looked is None:
                report("looking at the predictor")
                told = {**self._passed, **recipe.environment}
                looked = await introspection.look(recipe.folder, recipe.reference, python, told)
                await asyncio.to_thread(introspection.remember, schemas, version, looked)
            looked = msgspec.structs.replace(looked, concurrency=max(looked.concurrency, recipe.concurrency or 1))
            self._know(looked, version)
            return await running.begin(recipe, python, looked, self._passed, None, report), looked
        except OSError as error:
            raise EngineError("boot_failed", f"{error.filename or recipe.folder}: {error.strerror}.") from error

    def _know(self, looked: Looked | None, version: str | None) -> None:
        """Tell what is known of the predictor, which may be before it ever ran here."""
        if looked is None:
            self._traits = msgspec.structs.replace(self._traits, version=version)
            return
        text = document.read(looked.document).text
        self._traits = Traits(
            chat=text is not None,
            embeds=False,
            parameters=text.parameters if text else frozenset(),
            version=version,
            schema=looked.document,
            chat_defaults=text.defaults if text else {},
            text_defaults=text.defaults if text else {},
        )

    async def _answer(self, life: _Life, id: str, prompt: Prompt, said: tuple[Said, ...]) -> AsyncGenerator[Chunk]:
        if prompt.inputs is not None:
            asked = [(0, prompt.inputs)] if not said or not said[0].finished else []
            guess = Accepted(0)
        elif life.facts.text is None:
            message = "This model takes inputs of its own, and no prompt."
            raise EngineError("invalid_request", message, parameter="model")
        else:
            choices = [choice for choice in range(prompt.choices) if not (said and said[choice].finished)]
            # All of them, so that what is not taken is told before anything is begun.
            asked = [(choice, ask(prompt, choice, life.facts.text)) for choice in choices]
            guess = Counting(prompt).guess
        if not asked:
            yield guess
        for choice, inputs in asked:
            answer = self._answer_to(life.facts, prompt, choice, inputs)
            async with aclosing(self._predict(life, f"{id}-{choice}", inputs, answer)) as chunks:
                async for chunk in chunks:
                    yield guess if chunk is None else chunk

    def _answer_to(self, facts: Facts, prompt: Prompt, choice: int, inputs: dict[str, JSON]) -> Answer:
        if prompt.inputs is not None or facts.text is None:
            return Answer(facts.gives)
        return Answer(facts.gives, choice, speaks=True, most=longest(inputs, facts.text))

    async def _predict(
        self, life: _Life, id: str, inputs: dict[str, JSON], answer: Answer
    ) -> AsyncGenerator[Chunk | None]:
        """One prediction's chunks; first None, when the model has taken it. Raises EngineError."""
        await life.slots.take()
        prediction = Prediction(life.running.server, f"{id}-{secrets.token_hex(4)}", inputs, streams=life.streams)
        try:
            if not life.streams:
                yield None
            while (event := await prediction.next()) is not None:
                if event.name == "start":
                    yield None
                for chunk in answer.read(event):
                    yield chunk
            if answer.ended is None:
                raise EngineError("engine_died", "The model's server broke off its answer.")
            if (fault := failure(answer.ended)) is not None:
                raise fault
        except EngineError as error:
            if error.code in ("engine_died", "engine_unreachable"):
                life.running.found_broken.set()
            raise
        finally:
            self._leave(life, prediction)

    def _leave(self, life: _Life, prediction: Prediction) -> None:
        """Let go of a prediction, and of its slot when the server is rid of it. `stop` waits for that, nobody else."""
        task = asyncio.create_task(self._see_off(life, prediction), name="leaving a prediction")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _see_off(self, life: _Life, prediction: Prediction) -> None:
        in_time = await prediction.leave()
        life.slots.give_back()
        if not in_time and not self._running:
            # It does not listen, and keeps the slot of those to come.
            life.running.found_broken.set()

    def _living(self) -> _Life:
        if self._life is None:
            raise EngineError("engine_died", "The engine is not running.")
        return self._life

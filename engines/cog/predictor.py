"""A predictor that is up: prompts in, predictions on its server, chunks out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from engines.base import JSON, Accepted, Chunk, Output, Prompt, Said
from engines.cog.answers import Answer, failure
from engines.cog.carrying import Carrying
from engines.cog.document import Facts, Gives, is_whole
from engines.cog.file_server import FileServer
from engines.cog.lost_files import Losses
from engines.cog.predicting import Prediction
from engines.cog.running import Running
from engines.cog.slots import Slots
from engines.errors import EngineError
from engines.porter import Porter
from engines.replicate.asking import ask, longest
from engines.replicate.counting import Counting


class _Asked(NamedTuple):
    """One prediction that a prompt needs."""

    inputs: dict[str, JSON]
    answer: Answer


class Predictor:
    """From a start to a stop. A prompt with `inputs` is one prediction; one of text is one for each of its choices."""

    def __init__(
        self, running: Running, facts: Facts, concurrency: int, porter: Porter | None, file_server: FileServer | None
    ) -> None:
        self.running = running
        self._facts = facts
        self._slots = Slots(concurrency)
        self._porter = porter
        self._file_server = file_server
        # Of a value of which nothing is known nobody could say whether its parts are one output.
        self._streams = facts.says_streams and facts.gives is not Gives.ANYTHING
        self._leaving: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End it; what is under way fails as `engine_died`."""
        await self.running.close()
        if self._leaving:
            await asyncio.wait(self._leaving)
        if self._file_server is not None:
            await self._file_server.close()

    async def answer(self, id: str, prompt: Prompt, said: tuple[Said, ...]) -> AsyncGenerator[Chunk]:
        """What `Engine.generate` promises."""
        if any(not one.finished and one != Said() for one in said):
            raise EngineError("cannot_continue", "A predictor does not go on from another's words.")
        accepted = Accepted(0) if prompt.inputs is not None else Counting(prompt).guess
        # All of them, so that what is not taken is told before anything is begun.
        asked = [self._ask(prompt, choice) for choice in self._choices(prompt, said)]
        if not asked:
            yield accepted
        for one in asked:
            async with aclosing(self._predict(id, prompt, one)) as chunks:
                async for chunk in chunks:
                    yield accepted if chunk is None else chunk

    def _choices(self, prompt: Prompt, said: tuple[Said, ...]) -> list[int]:
        count = 1 if prompt.inputs is not None else prompt.choices
        return [choice for choice in range(count) if not (said and said[choice].finished)]

    def _ask(self, prompt: Prompt, choice: int) -> _Asked:
        if prompt.inputs is not None:
            return _Asked(prompt.inputs, Answer(self._facts.gives))
        if self._facts.text is None:
            message = "This model takes inputs of its own, and no prompt."
            raise EngineError("invalid_request", message, parameter="model")
        inputs = ask(prompt, choice, self._facts.text)
        return _Asked(inputs, Answer(self._facts.gives, choice, speaks=True, most=longest(inputs, self._facts.text)))

    async def _predict(self, generation: str, prompt: Prompt, asked: _Asked) -> AsyncGenerator[Chunk | None]:
        """One prediction's chunks; None when the model has taken it, before them. Raises EngineError."""
        await self._slots.take()
        id = f"{generation}-{secrets.token_hex(4)}"
        carrying = Carrying(self._porter, self._file_server, generation, id)
        prediction = None
        losses = self.running.losses if self._facts.gives_files else None
        if losses is not None:
            losses.expect(id)
        try:
            given = {**self._facts.left_out, **asked.inputs}
            inputs = await carrying.bring(given, self._facts.file_inputs, prompt.files)
            prediction = Prediction(self.running.server, id, inputs, streams=self._streams)
            async with aclosing(self._read(prediction, asked.answer, carrying, losses)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except EngineError as error:
            if error.code in ("engine_died", "engine_unreachable"):
                self.running.found_broken.set()
                error = await self.running.explain(error)
            # What the predictor makes of a file that did not come is no use to anybody.
            raise carrying.fault or error from error
        finally:
            if losses is not None:
                losses.forget(id)
            carrying.done()
            self._leave(prediction)

    async def _read(
        self, prediction: Prediction, answer: Answer, carrying: Carrying, losses: Losses | None
    ) -> AsyncGenerator[Chunk | None]:
        if not self._streams:
            yield None
        while (event := await prediction.next()) is not None:
            if event.name == "start":
                yield None
            chunks = answer.read(event)
            if losses is not None and answer.ended is not None and answer.ended.status == "succeeded":
                lost = await losses.of(prediction.id)
                if lost is not None:
                    raise EngineError("prediction_failed", f"The model gave a file that is not there. {lost}.")
            for chunk in chunks:
                yield await self._keep(chunk, carrying) if isinstance(chunk, Output) else chunk
        if answer.ended is None:
            raise EngineError("engine_died", "The model's server broke off its answer.")
        if (fault := failure(answer.ended)) is not None:
            raise fault

    async def _keep(self, output: Output, carrying: Carrying) -> Output:
        schema = {"items": self._facts.output} if self._facts.gives is Gives.LIST else self._facts.output
        if not is_whole(output.value, schema):
            raise EngineError("prediction_failed", "The model gave null where its output may not be null.")
        return await carrying.take(output.value, schema)

    def _leave(self, prediction: Prediction | None) -> None:
        """Let go of a prediction, and of its slot when the server is rid of it. `close` waits for that, nobody else."""
        if prediction is None:
            self._slots.give_back()
            return
        task = asyncio.create_task(self._see_off(prediction), name="leaving a prediction")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _see_off(self, prediction: Prediction) -> None:
        in_time = await prediction.leave()
        self._slots.give_back()
        if not in_time and self._slots.are_free:
            # It does not listen, and keeps the slot from those to come; nobody else is harmed by a new start.
            self.running.found_broken.set()

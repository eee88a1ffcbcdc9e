"""A deterministic engine with knobs, for tests and load tests. It never stands in for a model."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from random import Random  # noqa: TID251 - one for each word, seeded with it
from typing import Final

import msgspec

from engines.base import Chunk, Embeddings, Prompt, Report, Said, Traits
from engines.errors import EngineError
from engines.pouring import Take
from engines.scripted.beats import Beats
from engines.scripted.script import Script
from engines.scripted.speech import Speech

_DEFAULTS: Final = {"frequency_penalty": 0.0, "n": 1, "presence_penalty": 0.0, "temperature": 1.0, "top_p": 1.0}


class ScriptedEngine:
    """Speaks by its script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._traits = Traits(
            context_length=script.context_length,
            chat=not script.embeds,
            embeds=script.embeds,
            version=hashlib.sha256(msgspec.msgpack.encode(script)).hexdigest()[:32],
            chat_defaults=_DEFAULTS,
            text_defaults=_DEFAULTS,
        )
        self._running: dict[str, asyncio.Event] = {}
        self._crashed = asyncio.Event()
        self._beats = Beats(script.token_ms / 1000)
        self.aborted: list[str] = []
        """Generations whose iterator was closed before their end, for tests."""

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return len(self._running)

    async def start(self, report: Report) -> None:
        report("pretending to load")
        self._crashed = asyncio.Event()
        await asyncio.sleep(self._script.boot_ms / 1000)
        if self._script.boot_fails:
            raise EngineError("boot_failed", "The script says that the boot fails.")

    async def stop(self) -> None:
        self._crash()

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()

    async def close(self) -> None:
        await self.stop()

    async def died(self) -> str:
        await self._crashed.wait()
        return "the script said so"

    async def beat(self) -> None:
        if self._crashed.is_set():
            raise EngineError("engine_died", "The script said so.")

    async def metrics(self) -> str:
        return ""

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        with self._answering(id, prompt, said) as speech:
            yield speech.accepted
            await self._pause(self._script.prefill_ms)
            for delta in speech.begin():
                yield delta
            while speech.goes_on:
                await self._step(speech.step)
                for delta in speech.next():
                    yield delta

    async def pour(self, id: str, prompt: Prompt, said: tuple[Said, ...], take: Take) -> None:
        script = self._script
        with self._answering(id, prompt, said) as speech:
            take(speech.accepted)
            await self._pause(script.prefill_ms)
            for delta in speech.begin():
                take(delta)
            # What does not go by the common beat is left to `generate`'s way.
            while speech.goes_on and (script.breaks or self._crashed.is_set()):
                await self._step(speech.step)
                for delta in speech.next():
                    take(delta)
            if speech.goes_on:
                await self._beats.play(speech, take)

    @contextmanager
    def _answering(self, id: str, prompt: Prompt, said: tuple[Said, ...]) -> Iterator[Speech]:
        """What there is to say, counted as running. Raises EngineError where it is not to be said."""
        script = self._script
        if script.embeds:
            raise EngineError("invalid_request", "The script embeds, and answers nothing.", parameter="model")
        speech = Speech(script, prompt, said)
        self._running[id] = self._crashed
        try:
            yield speech
        finally:
            del self._running[id]
            if speech.goes_on:
                self.aborted.append(id)

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        script = self._script
        if not script.embeds:
            raise EngineError("invalid_request", "The script answers, and makes no embeddings.", parameter="model")
        dimensions = int(prompt.parameters.get("dimensions") or script.dimensions)
        if dimensions > script.dimensions:
            message = f"There are no more than {script.dimensions} dimensions."
            raise EngineError("invalid_request", message, parameter="dimensions")
        texts = [_words(text) for text in prompt.texts]
        if any(len(words) > script.context_length for words in texts):
            message = f"At most {script.context_length} words fit."
            raise EngineError("context_length_exceeded", message, parameter="input")
        self._running[id] = self._crashed
        ended = False
        try:
            await self._pause(script.prefill_ms)
            ended = True
        finally:
            del self._running[id]
            if not ended:
                self.aborted.append(id)
        vectors = tuple(_vector(words, dimensions) for words in texts)
        return Embeddings(vectors, sum(len(words) for words in texts))

    async def _step(self, index: int) -> None:
        script = self._script
        if index == script.stall_at:
            await self._pause(None)
        if index == script.fail_at:
            raise EngineError("engine_failed", f"The script says that token {index} fails.")
        if index == script.crash_at:
            self._crash()
        # A real engine speaks from another process: the loop runs at least once between two tokens.
        await self._pause(script.token_ms if index else 0)

    async def _pause(self, milliseconds: float | None) -> None:
        crashed = self._crashed
        if milliseconds == 0 and not crashed.is_set():
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(None if milliseconds is None else milliseconds / 1000):
                await crashed.wait()
        except TimeoutError:
            return
        raise _died()

    def _crash(self) -> None:
        self._crashed.set()
        self._beats.fail(_died())


def _died() -> EngineError:
    return EngineError("engine_died", "The engine died: the script said so.")


def _words(text: str | tuple[int, ...]) -> list[str]:
    return re.findall(r"\w+", text.lower()) if isinstance(text, str) else [str(token) for token in text]


def _vector(words: list[str], dimensions: int) -> bytes:
    """The sum of a random direction for each word, of length 1."""
    total = [0.0] * dimensions
    for word in words or [""]:
        # Seeded with the word itself, so that it points the same way in every process.
        direction = Random(word)
        total = [value + direction.gauss() for value in total]
    length = math.hypot(*total)
    return struct.pack(f"<{dimensions}f", *(value / length for value in total))

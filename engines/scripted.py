"""A deterministic engine with knobs, for tests and load tests. It never stands in for a model."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
import re
import struct
from collections.abc import AsyncGenerator
from random import Random  # noqa: TID251 - one for each word, seeded with it
from typing import Final

import msgspec

from engines.base import Accepted, Chunk, Delta, Embeddings, Knobs, Prompt, Report, Said, TokenLogprob, Traits
from engines.errors import EngineError


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it does, in milliseconds and tokens. Every knob may stand in the model's name on the command line."""

    boot_ms: float = 0
    boot_fails: bool = False
    prefill_ms: float = 0
    token_ms: float = 0
    tokens: int | None = None
    """Length of an answer, where `max_tokens` does not end it sooner; 32, or as long as `answer` is."""
    word_bytes: int = 0
    """Pad each word to this many bytes, for huge outputs."""
    stall_at: int | None = None
    """Give no token after this many, for ever. This knob and the next two count what one call of `generate` says, so
    that an answer which goes on elsewhere gets further each time."""
    crash_at: int | None = None
    """Die with this token: every running generation fails, and the engine must boot again."""
    fail_at: int | None = None
    """Fail this generation alone at this token."""
    answer: str | None = None
    """Say this, word by word, instead of numbered words."""
    json: str | None = None
    """Say this, four characters a token, instead of numbered words."""
    tool: str | None = None
    """Call this tool, with `{"token": 0}` and so on as arguments, instead of speaking."""
    continues: bool = True
    """Whether it goes on from what another engine said."""
    context_length: int = 32_768
    embeds: bool = False
    """Turn texts into vectors, near for texts that share words, instead of answering."""
    dimensions: int = 64
    """Length of such a vector, where the call does not ask for fewer."""

    @property
    def length(self) -> int:
        if self.tokens is not None:
            return self.tokens
        return len(self.pieces) or 32

    @property
    def pieces(self) -> list[str]:
        """What is to be said, cut into tokens; nothing where words are to be made up."""
        if self.json is not None:
            return [self.json[start : start + 4] for start in range(0, len(self.json), 4)]
        if self.answer is not None:
            first, *rest = self.answer.split(" ")
            return [first, *(f" {word}" for word in rest)]
        return []


def parse(knobs: Knobs) -> Script:
    """The script those knobs describe. Raises EngineError `bad_model_source`."""
    for name in knobs:
        if name not in Script.__struct_fields__:
            known = ", ".join(Script.__struct_fields__)
            raise EngineError("bad_model_source", f"The scripted engine has no knob {name!r}; it has {known}.")
    try:
        script = msgspec.convert(dict(knobs), Script, strict=False, str_keys=True)
    except msgspec.ValidationError as error:
        raise EngineError("bad_model_source", f"The scripted engine's knobs: {error}.") from None
    for name in Script.__struct_fields__:
        value = getattr(script, name)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise EngineError("bad_model_source", f"The scripted engine's knob {name} must be a number from 0 up.")
    return script


_DEFAULTS: Final = {"frequency_penalty": 0.0, "n": 1, "presence_penalty": 0.0, "temperature": 1.0, "top_p": 1.0}


class ScriptedEngine:
    """Speaks by its script. The words are made from the prompt, so that a crossed answer is seen."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._running: dict[str, asyncio.Event] = {}
        self._crashed = asyncio.Event()
        self.aborted: list[str] = []
        """Generations whose iterator was closed before their end, for tests."""

    @property
    def traits(self) -> Traits:
        script = self._script
        return Traits(
            context_length=script.context_length,
            chat=not script.embeds,
            embeds=script.embeds,
            version=hashlib.sha256(msgspec.msgpack.encode(script)).hexdigest()[:32],
            chat_defaults=_DEFAULTS,
            text_defaults=_DEFAULTS,
        )

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
        self._crashed.set()

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
        script = self._script
        if script.embeds:
            raise EngineError("invalid_request", "The script embeds, and answers nothing.", parameter="model")
        length = min(script.length, int(prompt.parameters.get("max_tokens") or script.length))
        asked = _asked(prompt)
        if len(asked.split()) > script.context_length:
            raise EngineError("context_length_exceeded", f"At most {script.context_length} words fit.")
        if any(not one.finished and one.tokens and (one.tool_calls or not script.continues) for one in said):
            raise EngineError("cannot_continue", "The script does not go on from here.")
        said = said or (Said(),) * prompt.choices
        speaking = {choice: len(one.tokens) for choice, one in enumerate(said) if not one.finished}
        self._running[id] = self._crashed
        ended = False
        try:
            yield Accepted(len(asked.split()))
            await self._pause(script.prefill_ms)
            for choice in [choice for choice, index in speaking.items() if index >= length]:
                del speaking[choice]
                yield Delta(choice, finish="length" if length < script.length else "stop")
            for step in itertools.count():
                if not speaking:
                    break
                await self._step(step)
                for choice, index in list(speaking.items()):
                    delta = _stopped(prompt, self._delta(prompt, asked, choice, index, length))
                    speaking[choice] += 1
                    if delta.finish is not None:
                        del speaking[choice]
                    yield delta
            ended = True
        finally:
            del self._running[id]
            if not ended:
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
            self._crashed.set()
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
        raise EngineError("engine_died", "The engine died: the script said so.")

    def _delta(self, prompt: Prompt, asked: str, choice: int, index: int, length: int) -> Delta:
        script = self._script
        last = index == length - 1
        cut = last and length < script.length
        if script.tool is not None:
            return self._tool_delta(choice, index, last)
        text = self._word(asked, choice, index)
        return Delta(
            choice,
            text,
            (index,),
            ("length" if cut else "stop") if last else None,
            logprobs=(TokenLogprob(text, -0.5, ((text, -0.5),)),) if prompt.parameters.get("logprobs") else (),
        )

    def _tool_delta(self, choice: int, index: int, last: bool) -> Delta:
        head = {"index": 0, "id": "call_scripted", "type": "function"} if index == 0 else {"index": 0}
        name = {"name": self._script.tool} if index == 0 else {}
        arguments = '{"token": 0}' if last else ""
        call = head | {"function": name | {"arguments": arguments}}
        return Delta(choice, tokens=(index,), tool_calls=(call,), finish="tool_calls" if last else None)

    def _word(self, asked: str, choice: int, index: int) -> str:
        if pieces := self._script.pieces:
            return pieces[index % len(pieces)]
        mark = hashlib.sha256(asked.encode()).hexdigest()[:6]
        return f"{' ' if index else ''}{mark}.{choice}.{index}".ljust(self._script.word_bytes, "~")


def _stopped(prompt: Prompt, delta: Delta) -> Delta:
    """The delta, cut before a stop string if one stands in it."""
    for stop in prompt.parameters.get("stop") or ():
        before, found, _ = delta.text.partition(stop)
        if found:
            return msgspec.structs.replace(delta, text=before, finish="stop", stop=stop)
    return delta


def _asked(prompt: Prompt) -> str:
    if prompt.is_chat:
        return " ".join(str(message.get("content")) for message in prompt.messages)
    return " ".join(str(text) for text in prompt.texts)


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

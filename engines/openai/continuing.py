"""Going on where another engine stopped: the model is given the prompt and the tokens so far as one prompt of tokens.

Only vLLM tells tokens, and reads them. What it held back of their text is found by having it read them again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from engines.base import JSON, UNTOLD, Accepted, Chunk, Delta, Prompt, Said
from engines.errors import EngineError
from engines.openai.asking import CHAT, TEXT, Job
from engines.openai.connection import Connection
from engines.openai.meeting import Met
from engines.openai.merging import merged
from engines.openai.stops import Stops

Answer = Callable[[Job], AsyncGenerator[Chunk]]

_CONTEXT: Final = 8
"""Tokens of the prompt that are read again with the answer: its first one may be written by what stands before it."""
_HALF: Final = "\ufffd"
"""Stands for bytes that are no whole character yet."""

_LOST: Final = {
    "response_format": "its format is fixed, and how far it got is lost",
    "structured_outputs": "its format is fixed, and how far it got is lost",
    "bad_words": "forbidden words may straddle the place where it stopped",
    "tools": "whether it calls a tool is lost",
    "echo": "its prompt was to be said again",
    "truncate_prompt_tokens": "its prompt was cut",
    "thinking_token_budget": "how long it thought is lost",
}
"""Parameters with which an answer cannot be continued, and why."""
_OF_CHATS: Final = frozenset(
    "add_generation_prompt chat_template chat_template_kwargs continue_final_message documents include_reasoning"
    " mm_processor_kwargs modalities parallel_tool_calls reasoning_effort tool_choice top_logprobs".split()
)
"""Parameters that make a chat into tokens; that is done."""
_OF_ANSWERS: Final = frozenset("logprobs max_tokens min_tokens n stop top_logprobs".split())
"""Parameters that say nothing of the prompt."""
_HEEDED: Final = frozenset("add_special_tokens include_stop_str_in_output n stop".split())
"""Parameters that are heeded here."""


class _Begun(NamedTuple):
    """A choice that has more to say: its place among `n`, the tokens before it and of it, and what those say."""

    choice: int
    place: int
    prompt: tuple[int, ...]
    said: Said
    text: str
    half: bool
    """Whether it stopped within a character, of which `text` has nothing."""


async def go_on(
    connection: Connection, met: Met, id: str, prompt: Prompt, said: tuple[Said, ...], answer: Answer
) -> AsyncGenerator[Chunk]:
    """The rest of every choice, as `Engine.generate` promises. Raises EngineError, `cannot_continue` at first."""
    _check(prompt, said, met)
    asked = _Asked(connection, met, id)
    prompts = await asked.tokens(prompt)
    n = len(said) // len(prompts)
    unfinished = [(choice, one) for choice, one in enumerate(said) if not one.finished]
    begun = await asyncio.gather(
        *(asked.begun(choice, choice % n, prompts[choice // n], one) for choice, one in unfinished)
    )
    jobs = [(one, _job(prompt, met, one)) for one in begun]
    yield Accepted(sum(map(len, prompts)))
    if jobs:
        rests = [_rest(prompt, one, job, asked, answer) for one, job in jobs]
        async with aclosing(merged(rests)) as chunks:
            async for chunk in chunks:
                yield chunk


def _check(prompt: Prompt, said: tuple[Said, ...], met: Met) -> None:
    """Raises EngineError `cannot_continue` where there is no way to know how it goes on."""
    if not met.manners.tells_tokens:
        raise _cannot("this upstream reads no tokens")
    for name, why in _LOST.items():
        if prompt.parameters.get(name):
            raise _cannot(why)
    if any(isinstance(message.get("content"), list) for message in prompt.messages):
        raise _cannot("its prompt may be made of more than text")
    for one in said:
        if one.finished:
            continue
        if UNTOLD in one.tokens or (one.text and not one.tokens):
            raise _cannot("the engine that began it does not tell its tokens")
        if one.reasoning or one.tool_calls:
            raise _cannot("it stopped amid reasoning, or within a tool call")


def _cannot(why: str) -> EngineError:
    return EngineError("cannot_continue", f"The answer was interrupted and cannot be continued: {why}. Ask again.")


class _Told(msgspec.Struct):
    """The parts of vLLM's answers that tell tokens or their text."""

    prompt_token_ids: tuple[int, ...] | None = None
    choices: list[_Told] = []
    prompt: str | None = None


class _Asked:
    """What vLLM is asked before it goes on."""

    def __init__(self, connection: Connection, met: Met, id: str) -> None:
        self._connection = connection
        self._model = met.manners.model
        self._id = id

    async def tokens(self, prompt: Prompt) -> list[tuple[int, ...]]:
        """The tokens of the chat, or of each text. The prompt is in the prefix cache afterwards."""
        parameters = {name: value for name, value in prompt.parameters.items() if name not in _OF_ANSWERS}
        body = {**parameters, "model": self._model, "max_tokens": 1, "return_token_ids": True}
        if prompt.is_chat:
            told = await self._post(self._connection.base + CHAT, {**body, "messages": prompt.messages})
            return [self._given(told)]
        strings = [text for text in prompt.texts if isinstance(text, str)]
        choices = (
            (await self._post(self._connection.base + TEXT, {**body, "prompt": strings})).choices if strings else []
        )
        if len(choices) != len(strings):
            raise _cannot("the upstream does not tell its tokens")
        given = iter(choices)
        return [self._given(next(given)) if isinstance(text, str) else text for text in prompt.texts]

    async def begun(self, choice: int, place: int, prompt: tuple[int, ...], said: Said) -> _Begun:
        """What the tokens of a choice say, what was held back of it too. Raises EngineError `cannot_continue`."""
        text = await self.text(prompt, said.tokens)
        clean = text.rstrip(_HALF)
        if not clean.startswith(said.text):
            raise _cannot("this upstream reads its tokens differently")
        return _Begun(choice, place, prompt, said, clean, clean != text)

    async def text(self, prompt: tuple[int, ...], tokens: tuple[int, ...]) -> str:
        """What these tokens say after that prompt."""
        if not tokens:
            return ""
        before = prompt[-_CONTEXT:]
        context, whole = [await self._read(each) for each in (before, before + tokens)]
        if not whole.startswith(context):
            raise _cannot("its prompt ends within a character")
        return whole.removeprefix(context)

    async def needed(
        self, prompt: tuple[int, ...], before: tuple[int, ...], tokens: tuple[int, ...], stop: str, at: int
    ) -> tuple[int, ...]:
        """Those of a chunk's tokens with which the stop string was whole, from that character on: several may come."""
        for count in range(1, len(tokens)):
            if (await self.text(prompt, before + tokens[:count])).startswith(stop, at):
                return tokens[:count]
        return tokens

    async def _read(self, tokens: tuple[int, ...]) -> str:
        told = await self._post(self._connection.root + "/detokenize", {"model": self._model, "tokens": tokens})
        if told.prompt is None:
            raise _cannot("the upstream does not read tokens")
        return told.prompt

    async def _post(self, url: str, body: dict[str, JSON]) -> _Told:
        answer = await self._connection.post(url, body, self._id, "messages" if "messages" in body else "prompt")
        try:
            return msgspec.json.decode(answer, type=_Told)
        except msgspec.DecodeError:
            raise _cannot("the upstream does not tell its tokens") from None

    def _given(self, told: _Told) -> tuple[int, ...]:
        if not told.prompt_token_ids:
            raise _cannot("the upstream does not tell its tokens")
        return told.prompt_token_ids


def _job(prompt: Prompt, met: Met, begun: _Begun) -> Job | None:
    """What to ask for the rest of a choice; None where it is as long as it may be."""
    asked, said = prompt.parameters, begun.said
    if len(begun.text) - len(said.text) > max(map(len, asked.get("stop") or ()), default=1) - 1:
        # A parser kept it: what follows would come without that.
        raise _cannot("what was held back of it is lost")
    longest = asked.get("max_tokens")
    if longest is None:
        if met.traits.context_length is None:
            raise _cannot("how long it may be is not known")
        longest = met.traits.context_length - len(begun.prompt)
    left = int(longest) - len(said.tokens)
    if left <= 0:
        return None
    body = _after(prompt, begun.place, said.tokens) | {
        "model": met.manners.model,
        "prompt": [*begun.prompt, *said.tokens],
        "max_tokens": left,
        "min_tokens": max(0, int(asked.get("min_tokens") or 0) - len(said.tokens)),
        "stream": True,
        "return_token_ids": True,
    }
    return Job(TEXT, body, (begun.choice,), int(body.get("logprobs") or 0))


def _after(prompt: Prompt, place: int, tokens: tuple[int, ...]) -> dict[str, JSON]:
    """The parameters that shape what is left."""
    asked = prompt.parameters
    body = {name: value for name, value in asked.items() if name not in _OF_CHATS and name not in _HEEDED}
    if prompt.is_chat and body.pop("logprobs", False):
        body["logprobs"] = int(asked.get("top_logprobs") or 0)
    if body.get("seed") is not None:
        # vLLM adds the index itself where it makes `n` answers. A seed that repeats would repeat its chances.
        body["seed"] += place + len(tokens)
    if penalty := body.get("frequency_penalty"):
        # vLLM counts the tokens of an answer alone, and these are of the prompt now.
        bias = dict(body.get("logit_bias") or {})
        for token, count in Counter(tokens).items():
            bias[str(token)] = bias.get(str(token), 0.0) - penalty * count
        body["logit_bias"] = bias
    return body


async def _rest(prompt: Prompt, begun: _Begun, job: Job | None, asked: _Asked, answer: Answer) -> AsyncGenerator[Chunk]:
    """The rest of one choice. Raises EngineError."""
    said, half, parameters = begun.said, begun.half, prompt.parameters
    stops = Stops(
        parameters.get("stop") or [],
        begun.text,
        len(said.text),
        len(said.tokens),
        least=int(parameters.get("min_tokens") or 0),
        included=bool(parameters.get("include_stop_str_in_output")),
    )
    if job is None:
        text, _ = stops.feed("", 0, ended=True)
        yield Delta(begun.choice, text, finish="length")
        return
    tokens = said.tokens
    async with aclosing(answer(job)) as chunks:
        async for chunk in chunks:
            if not isinstance(chunk, Delta):
                continue
            before, tokens = tokens, tokens + chunk.tokens
            piece = chunk.text
            if half and piece:
                # vLLM cannot tell half a character from the prompt before it, and says all of that.
                read = await asked.text(begun.prompt, tokens[:-1] if chunk.finish == "stop" else tokens)
                piece, half = read.rstrip(_HALF)[len(begun.text) :], False
            text, stop = stops.feed(piece, len(chunk.tokens), ended=chunk.finish is not None)
            if stop is not None:
                needed = await asked.needed(begun.prompt, before, chunk.tokens, stop, stops.at)
                yield msgspec.structs.replace(chunk, text=text, tokens=needed, finish="stop", stop=stop)
                return
            yield msgspec.structs.replace(chunk, text=text)

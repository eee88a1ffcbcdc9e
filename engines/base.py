"""What the rest of Hearth knows about an engine: a prompt goes in, chunks or vectors come out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

import msgspec

JSON = Any
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A file that the server keeps: what its owner gave to a model, or a model to its owner."""

    id: str
    name: str
    content_type: str
    size: int


class Prompt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked of a model, in no surface's shape.

    Either `messages` (a chat, each message in OpenAI's shape), or `texts` (raw prompts, each a string or token ids), or
    the `inputs` of a predictor.
    `parameters` holds all that can change the answer, under OpenAI's names and vLLM's names for its extensions.
    """

    messages: tuple[dict[str, JSON], ...] = ()
    texts: tuple[str | tuple[int, ...], ...] = ()
    parameters: dict[str, JSON] = {}
    inputs: dict[str, JSON] | None = None
    """What a predictor is given, by the names of its own inputs; then there are neither messages nor texts."""
    files: dict[str, Kept] = {}
    """Which strings in `inputs` stand for files that the server keeps."""
    passing: dict[str, JSON] = {}
    """Fields that change no answer, and are for a service that gives it: who asks, what for, how it is paid."""

    @property
    def is_chat(self) -> bool:
        return bool(self.messages)

    @property
    def choices(self) -> int:
        """How many answers are asked for; choice `i * n + j` is the j-th answer to the i-th text."""
        return int(self.parameters.get("n") or 1) * max(1, len(self.texts))


UNTOLD: Final = -1
"""Stands for a token whose id the engine does not tell: it is counted, and nobody can go on from it."""


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A token, its natural-log probability, and the best alternatives at its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag="accepted", gc=False):
    """The engine took the prompt: it is well formed, it fits, and it has this many tokens. Always the first chunk.

    Where an engine counts only at the end, the first one holds a guess, and a later one the count.
    """

    prompt_tokens: int
    cached_tokens: int = 0
    seconds: float | None = None
    """Of compute until now, where none follows before the next `Accepted`; None: it computes from here on.

    A queue and a boot are no compute. Engines that are not paid for by the second never tell them.
    """


class Extra(msgspec.Struct, frozen=True, array_like=True, gc=False, omit_defaults=True):
    """Fields of an OpenAI-compatible answer that nothing here has a name for, by where they stand."""

    message: dict[str, JSON] = {}
    """In the `delta` of a chat's choice."""
    choice: dict[str, JSON] = {}
    answer: dict[str, JSON] = {}
    """In the chunk, beside `choices`; given again only when they change."""
    usage: dict[str, JSON] = {}
    """In the `usage`; given once, with the last delta."""


class Delta(msgspec.Struct, frozen=True, array_like=True, tag="delta", gc=False, omit_defaults=True):
    """A piece of one choice's answer; `finish` is set on the last piece of that choice.

    `tool_calls` are fragments in OpenAI's shape: index, then id, type, function.name, function.arguments as they come.
    """

    choice: int
    text: str = ""
    tokens: tuple[int, ...] = ()
    finish: FinishReason | None = None
    stop: str | int | None = None
    reasoning: str = ""
    tool_calls: tuple[dict[str, JSON], ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    extra: Extra | None = None
    """What an upstream says beside all that; passed on as it came."""


class Output(msgspec.Struct, frozen=True, array_like=True, tag="output"):
    """Any JSON value that a model gives beside or instead of text."""

    value: JSON
    files: dict[str, Kept] = {}
    """Which strings in the value stand for files that the server keeps. What a model writes itself is never one."""


class LogLine(msgspec.Struct, frozen=True, array_like=True, tag="log", gc=False):
    """What the model's program printed, line ends included."""

    text: str


class Measured(msgspec.Struct, frozen=True, array_like=True, tag="measured"):
    """A figure that the model's program gave a name to; the last one of a name counts."""

    name: str
    value: JSON


Chunk = Accepted | Delta | Output | LogLine | Measured


class Embeddings(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A vector for each text, in their order, and how many tokens all of them have."""

    vectors: tuple[bytes, ...]
    """Each as float32, little-endian, one number after the other."""
    prompt_tokens: int


class Said(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What one choice has said so far: its deltas, added up. Another engine goes on from there."""

    tokens: tuple[int, ...] = ()
    """Every token id, in order."""
    text: str = ""
    reasoning: str = ""
    tool_calls: bool = False
    """Whether any fragment of a tool call was given."""
    finished: bool = False
    """It had its finish: nothing more is asked of it."""


UNTOLD_SCHEMA: Final[dict[str, JSON]] = {
    "openapi": "3.0.2",
    "info": {"title": "Cog", "version": "0.1.0"},
    "paths": {},
    "components": {
        "schemas": {"Input": {"title": "Input", "type": "object", "properties": {}}, "Output": {"title": "Output"}}
    },
}
"""Stands for that of a predictor that was never looked at: it may take and give anything."""


class State(StrEnum):
    """How warm an engine is. Warm means that a token was decoded or a vector computed, not that a port answers."""

    COLD = "cold"
    BOOTING = "booting"
    WARM = "warm"
    DRAINING = "draining"
    BROKEN = "broken"


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says of its model before anybody asks it for an answer."""

    context_length: int | None = None
    parameters: frozenset[str] | None = None
    """Names it takes in `Prompt.parameters`; None takes any and passes it on."""
    chat: bool = True
    """Whether it answers `messages`; every engine that answers does so to `texts`."""
    embeds: bool | None = None
    """Whether it turns texts into vectors, and answers nothing; None while that is not known."""
    version: str | None = None
    """What determines its answers (weights, tokenizer, template, settings), as one name; None while not known."""
    goes_cold: bool = False
    """Whether it goes cold by itself when nobody asks: where it `died`, it need not be booted before somebody does."""
    schema: dict[str, JSON] | None = None
    """Of a predictor: the OpenAPI document whose `Input` and `Output` say what it takes and gives, as Cog writes it.

    UNTOLD_SCHEMA while that is not known.
    """
    chat_defaults: dict[str, JSON] = {}
    """What it puts for parameters that are not sent with `messages`."""
    text_defaults: dict[str, JSON] = {}
    """What it puts for parameters that are not sent with `texts`."""

    def defaults(self, prompt: Prompt) -> dict[str, JSON]:
        """What it puts for parameters that are not in a prompt of this kind."""
        return self.chat_defaults if prompt.is_chat else self.text_defaults


Report = Callable[[str], None]


class Engine(Protocol):
    """One running copy of a model, or the means to run it.

    The pool alone calls `start` and `stop`, one at a time; `generate`, or `embed` where the model is one for that, is
    called many times over while it is warm.
    """

    @property
    def traits(self) -> Traits: ...

    async def start(self, report: Report) -> None:
        """Boot until a token was decoded, or a vector computed, telling `report` each stage.

        Raises EngineError: `boot_failed`, or what is known more precisely, as `bad_model_source` or `upstream_budget`.
        """

    async def stop(self) -> None:
        """End everything that `start` began, processes and memory included; harmless on an engine that never ran.

        Raises EngineError `engine_failed` where it was only let go of, as it cannot be ended: why, for everybody.
        """

    async def leave(self, *, others: bool = False) -> None:
        """Let go of it here, where it died or another replica has the say over it; what is not ours goes on running.

        Where `others`, replicas elsewhere go on with it: nothing of it is ended, whoever started it.
        """

    async def close(self) -> None:
        """Leave it, and let go of what it kept for a next start; what was left to others stays theirs.

        Called once, at the end.
        """

    async def died(self) -> str:
        """Wait until a started engine ends by itself; the reason in words. Never returns after `stop`."""

    def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        """One `Accepted`, then deltas until every choice has a `finish`; more of `Accepted` may come before the last.

        A prompt with `inputs` is answered by `Output`s in one choice: its one delta is the finish. `LogLine`s and
        `Measured`s may come wherever the program gives them.

        With `said`, one for each choice, it goes on from there. What was said and what follows read as one answer that
        nothing disturbed, to the character, and under greedy decoding it is that answer. `max_tokens`, `min_tokens`,
        stop strings and `frequency_penalty` count what was said; `presence_penalty` begins anew, and so does chance.
        A delta brings only tokens that are not in `said`; its text may first be that of said tokens which was held
        back. `Accepted` counts the prompt alone, and an echoed prompt is not said again.

        Closing the iterator aborts the work in the engine. Raises EngineError: `invalid_request`,
        `context_length_exceeded`, `engine_busy`, `engine_unreachable` and `cannot_continue` before the first chunk,
        `engine_died` and `engine_failed` at any time.
        """

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        """A vector for each of the prompt's texts; it has no messages.

        To cancel the call aborts the work in the engine. Raises EngineError: `invalid_request`,
        `context_length_exceeded`, `engine_busy`, `engine_unreachable`, `engine_died`, `engine_failed`.
        """

    async def beat(self) -> None:
        """Decode one token, or compute one vector, to show that it still can. Raises EngineError."""

    async def metrics(self) -> str:
        """The engine's own metrics as Prometheus text, empty when it has none."""

    @property
    def running(self) -> int:
        """How many generations and calls of `embed` it holds now, waiting ones included."""


Knobs = Mapping[str, str]

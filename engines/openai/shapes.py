"""An upstream's chunks and answers, as msgspec reads them: whatever has no name here is found and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import orjson
from msgspec import Struct

from engines.base import JSON
from engines.errors import EngineError


class Details(Struct):
    """What is known of the prompt's tokens."""

    cached_tokens: int | None = None


_MOST_COUNTED: Final = 1 << 24
"""Tokens of a prompt: beyond that it is no count."""


class Usage(Struct):
    """Tokens so far, or of the whole, as the upstream says."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None

    @property
    def prompt(self) -> int:
        """Tokens of the prompt; 0 where that is not said, or what is said cannot be."""
        told = self.prompt_tokens or 0
        return told if 0 < told <= _MOST_COUNTED else 0

    @property
    def cached(self) -> int:
        """Tokens of the prompt that need not be read again."""
        told = (self.prompt_tokens_details.cached_tokens or 0) if self.prompt_tokens_details else 0
        return min(max(told, 0), self.prompt)


class _Usage(Usage, forbid_unknown_fields=True):
    total_tokens: Any = None


class Alternative(Struct):
    """A token that might have stood there."""

    token: str
    logprob: float


class Token(Struct):
    """A chat's log probability."""

    token: str
    logprob: float
    top_logprobs: list[Alternative] | None = None


class Logprobs(Struct):
    """A chat's, in `content`, or a completion's, in columns."""

    content: list[Token] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class Part(Struct):
    """A part of a message: Mistral's."""

    text: str | None = None


class Piece(Struct, forbid_unknown_fields=True):
    """A chat's `delta`. vLLM, OpenAI and DeepSeek name the reasoning in two ways."""

    role: str | None = None
    content: str | list[Part] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, JSON]] | None = None

    @property
    def text(self) -> str:
        """What it says of the answer."""
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content)
        return self.content or ""


class Choice(Struct, forbid_unknown_fields=True):
    """A piece of a choice: `delta` of a chat, `text` of a completion."""

    index: int = 0
    delta: Piece | None = None
    text: str | None = None
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None


class Chunk(Struct, forbid_unknown_fields=True):
    """One event."""

    id: Any = None
    object: Any = None
    created: Any = None
    model: Any = None
    choices: list[Choice] | None = None
    usage: _Usage | None = None
    error: JSON = None
    prompt_token_ids: list[int] | None = None
    prompt_text: Any = None
    obfuscation: Any = None
    """Noise against those who measure OpenAI's own packets."""


class Strangers(NamedTuple):
    """What has no name here: beside `choices`, in the `usage`, and for each choice in its `delta` and beside that."""

    answer: dict[str, JSON]
    usage: dict[str, JSON]
    choices: Sequence[tuple[dict[str, JSON], dict[str, JSON]]]


_DEEPEST: Final = 128
"""Levels of a chunk: what is deeper, others cannot write again."""
_NONE: Final = Strangers({}, {}, ())
_strict = msgspec.json.Decoder(Chunk).decode


def read(data: bytes) -> tuple[Chunk, Strangers]:
    """A chunk, and what of it has no name here. Raises EngineError `engine_failed` on anything else."""
    try:
        _shallow(data)
        return _strict(data), _NONE
    except msgspec.ValidationError:
        return _with_strangers(data)
    except (msgspec.DecodeError, orjson.JSONDecodeError, UnicodeDecodeError):
        raise EngineError("engine_failed", "The upstream sent what is no JSON.") from None


def _with_strangers(data: bytes) -> tuple[Chunk, Strangers]:
    try:
        # It keeps numbers within what others can write again.
        chunk = orjson.loads(data)
        answer = _part(chunk, Chunk)
        usage = _part(chunk["usage"], _Usage) if chunk.get("usage") else {}
        choices = [
            (_part(choice["delta"], Piece) if choice.get("delta") else {}, _part(choice, Choice))
            for choice in chunk.get("choices") or ()
        ]
        return msgspec.convert(chunk, Chunk), Strangers(answer, usage, choices)
    except (msgspec.ValidationError, orjson.JSONDecodeError, AttributeError, TypeError) as error:
        raise EngineError("engine_failed", f"The upstream sent what is no chunk of OpenAI's: {error}.") from None


def _shallow(data: bytes) -> None:
    if data.count(b"{") + data.count(b"[") <= _DEEPEST:
        return
    level: list[JSON] = [orjson.loads(data)]
    for _ in range(_DEEPEST):
        level = [below for each in level for below in _inside(each)]
        if not level:
            return
    raise EngineError("engine_failed", f"The upstream sent a chunk that is nested deeper than {_DEEPEST} levels.")


def _inside(value: JSON) -> Iterable[JSON]:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in below if isinstance(each, dict | list)]


def _part(found: dict[str, JSON], known: type[Struct]) -> dict[str, JSON]:
    """Take out of a JSON object what that type has no field for; what says nothing is dropped."""
    strangers = [name for name in found if name not in known.__struct_fields__]
    parted = {name: found.pop(name) for name in strangers}
    return {name: value for name, value in parted.items() if value is not None}

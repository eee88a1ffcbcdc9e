"""From a prompt to the requests that ask an upstream for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from engines.base import JSON, Prompt

CHAT: Final = "/chat/completions"
TEXT: Final = "/completions"
EMBED: Final = "/embeddings"

_MOST_TOKENS: Final = 1 << 18
"""Of an answer, all its choices together: no model says more, whatever an upstream counts."""
_BYTES_A_TOKEN: Final = 4
"""As English has it, roughly."""


class Manners(NamedTuple):
    """What an upstream takes beside what all of them take."""

    model: str
    tells_tokens: bool = False
    """It says which tokens an answer is made of, and counts as it goes: vLLM."""
    completion_limit: bool = False
    """It wants `max_tokens` of chats as `max_completion_tokens`: OpenAI's own."""


class Job(NamedTuple):
    """One request. Its k-th choice, or vector, is ours at `places[k]`."""

    path: str
    body: dict[str, JSON]
    places: tuple[int, ...]
    top: int = 0
    """How many alternatives to a token are wanted."""
    guess: int = 0
    """Tokens that its prompt may have."""

    @property
    def most(self) -> int:
        """Tokens that its answer can have, all choices together."""
        asked = self.body.get("max_completion_tokens") or self.body.get("max_tokens") or _MOST_TOKENS
        return min(int(asked) * len(self.places), _MOST_TOKENS)

    @property
    def too_long(self) -> str:
        """The field at fault where it does not fit."""
        return {CHAT: "messages", TEXT: "prompt", EMBED: "input"}[self.path]


def answers(prompt: Prompt, manners: Manners) -> list[Job]:
    """The requests for a prompt's answers: one for a chat, one for each kind of texts."""
    parameters = prompt.parameters
    if prompt.is_chat:
        body = {**prompt.passing, **parameters, "messages": prompt.messages}
        if manners.completion_limit and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        guess = _guess(msgspec.json.encode(prompt.messages))
        top = int(parameters.get("top_logprobs") or 0)
        return [Job(CHAT, _streamed(body, manners), tuple(range(prompt.choices)), top, guess)]
    n = int(parameters.get("n") or 1)
    return [
        Job(
            TEXT,
            _streamed({**prompt.passing, **parameters, "prompt": _texts(prompt, indexes)}, manners),
            tuple(index * n + answer for index in indexes for answer in range(n)),
            int(parameters.get("logprobs") or 0),
            sum(_guess(prompt.texts[index]) for index in indexes),
        )
        for indexes in _kinds(prompt.texts)
    ]


def vectors(prompt: Prompt, manners: Manners) -> list[Job]:
    """The requests for the vectors of a prompt's texts."""
    # The shortest way to write a vector, and the quickest to read.
    body = {"encoding_format": "base64", **prompt.passing, **prompt.parameters, "model": manners.model}
    return [Job(EMBED, {**body, "input": _texts(prompt, indexes)}, tuple(indexes)) for indexes in _kinds(prompt.texts)]


def _streamed(body: Mapping[str, JSON], manners: Manners) -> dict[str, JSON]:
    options: dict[str, JSON] = {"include_usage": True}
    asked = {**body, "model": manners.model, "stream": True, "stream_options": options}
    if manners.tells_tokens:
        options["continuous_usage_stats"] = True
        # With both, vLLM keeps the echo's text to itself.
        if not body.get("echo"):
            asked["return_token_ids"] = True
    return asked


def _kinds(texts: Sequence[str | tuple[int, ...]]) -> list[list[int]]:
    """Where the strings stand and where the token ids do: no server takes both in one request."""
    strings = [index for index, text in enumerate(texts) if isinstance(text, str)]
    tokens = [index for index, text in enumerate(texts) if not isinstance(text, str)]
    return [indexes for indexes in (strings, tokens) if indexes]


def _texts(prompt: Prompt, indexes: Sequence[int]) -> JSON:
    """A single text as itself: not every server takes a list."""
    return prompt.texts[indexes[0]] if len(indexes) == 1 else [prompt.texts[index] for index in indexes]


def _guess(text: str | bytes | tuple[int, ...]) -> int:
    if isinstance(text, tuple):
        return len(text)
    return -(-len(text.encode() if isinstance(text, str) else text) // _BYTES_A_TOKEN)

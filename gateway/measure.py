"""How many tokens a run may take at most, known before any engine has seen it."""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from engines.base import Prompt

_FRAME: Final = 1024
"""What a chat template may add by itself."""
_WRITTEN: Final = ("text", "refusal")
"""Parts that are all there in the message; how many tokens another kind has nothing here can count."""


class Measure(NamedTuple):
    """Upper bounds, and a fair guess at the prompt."""

    prompt_most: int
    prompt_likely: int
    output_most: int
    blind: bool = False
    """Whether the prompt may have more tokens than that after all."""

    @property
    def most(self) -> int:
        return self.prompt_most + self.output_most


def measure(prompt: Prompt, context_length: int | None) -> Measure:
    """The bounds of a run. Where the model's context is not known, `output_most` is what was asked for, or 0."""
    if prompt.inputs is not None:
        # A predictor counts no tokens.
        return Measure(0, 0, 0)
    texts = max(1, len(prompt.texts))
    bytes = _bytes(prompt)
    most = bytes + _FRAME
    blind = _is_blind(prompt)
    if context_length is not None:
        most = context_length if blind else min(most, context_length * texts)
    asked = prompt.parameters.get("max_tokens", context_length) or 0
    if context_length is not None:
        asked = min(asked, context_length)
    return Measure(most, min(most, bytes // 4 + 1), int(asked) * prompt.choices, blind and context_length is None)


def _bytes(prompt: Prompt) -> int:
    # No tokenizer makes more tokens than there are bytes.
    if not prompt.is_chat:
        return sum(len(text.encode()) if isinstance(text, str) else len(text) for text in prompt.texts)
    # A template may write all of them out: tools, documents, its own arguments, what the answer is to look like.
    written = [value for value in prompt.parameters.values() if not isinstance(value, int | float)]
    return len(orjson.dumps([prompt.messages, *written] if written else prompt.messages))


def _is_blind(prompt: Prompt) -> bool:
    """Whether the bytes of a prompt say nothing of its tokens: it holds pictures or sounds, or its own template."""
    contents = [message.get("content") for message in prompt.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return "chat_template" in prompt.parameters or any(part.get("type") not in _WRITTEN for part in parts)

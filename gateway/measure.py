"""How many tokens a run may take at most, known before any engine has seen it."""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from engines.base import Prompt

_FRAME: Final = 1024
"""What a chat template may add by itself."""
_BLIND: Final = ("image_url", "input_audio", "audio_url", "video_url", "file")
"""Parts whose tokens nothing here can count."""


class Measure(NamedTuple):
    """Upper bounds, and a fair guess at the prompt."""

    prompt_most: int
    prompt_likely: int
    output_most: int

    @property
    def most(self) -> int:
        return self.prompt_most + self.output_most


def measure(prompt: Prompt, context_length: int | None) -> Measure:
    """The bounds of a run. Where the model's context is not known, `output_most` is what was asked for, or 0."""
    texts = max(1, len(prompt.texts))
    bytes = _bytes(prompt)
    most = bytes + _FRAME
    if context_length is not None:
        most = min(most, context_length * texts)
        if any(part.get("type") in _BLIND for part in _parts(prompt)):
            most = context_length
    asked = prompt.parameters.get("max_tokens", context_length) or 0
    if context_length is not None:
        asked = min(asked, context_length)
    return Measure(most, min(most, bytes // 4 + 1), int(asked) * prompt.choices)


def _bytes(prompt: Prompt) -> int:
    # No tokenizer makes more tokens than there are bytes.
    if not prompt.is_chat:
        return sum(len(text.encode()) if isinstance(text, str) else len(text) for text in prompt.texts)
    tools = prompt.parameters.get("tools")
    return len(orjson.dumps([prompt.messages, tools] if tools else prompt.messages))


def _parts(prompt: Prompt) -> list[dict[str, object]]:
    contents = [message.get("content") for message in prompt.messages]
    return [part for content in contents if isinstance(content, list) for part in content]

"""What the scripted engine is told to do, by its knobs."""

from __future__ import annotations

import math

import msgspec

from engines.base import Knobs
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
    def breaks(self) -> bool:
        """Whether it stops, fails or dies at some token."""
        return any(at is not None for at in (self.stall_at, self.crash_at, self.fail_at))

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

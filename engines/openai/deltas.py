"""From what an upstream streams to chunks of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from engines.base import JSON, UNTOLD, Accepted, Chunk, Delta, Extra, FinishReason, TokenLogprob
from engines.errors import EngineError
from engines.openai import shapes
from engines.openai.asking import Job
from engines.openai.refusals import broken_off

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # TGI's.
    "eos_token": "stop",
    "stop_sequence": "stop",
}


class Deltas:
    """Reads one response. The last choice's end is held back until the counts have come, which follow it at once."""

    def __init__(self, job: Job, host: str) -> None:
        self._job = job
        self._host = host
        self._finished: set[int] = set()
        self._accepted: Accepted | None = None
        self._usage: shapes.Usage | None = None
        self._untold = 0
        """Tokens counted by their pieces: which they are was not said."""
        self._told = False
        self._last: Delta | None = None
        self._answer: dict[str, JSON] = {}
        """What stood beside the choices so far."""
        self._unsaid: dict[str, JSON] = {}
        """What of that goes with the next delta."""
        self._beside_counts: dict[str, JSON] = {}
        """What stood in the last `usage` beside them."""

    @property
    def ended(self) -> bool:
        """Whether every choice has its finish."""
        return len(self._finished) == len(self._job.places)

    def read(self, data: bytes) -> Iterator[Chunk]:
        """What one event says. Raises EngineError."""
        chunk, strangers = shapes.read(data)
        if chunk.error is not None:
            raise broken_off(chunk.error, self._host)
        if chunk.usage is not None:
            self._usage = chunk.usage
            self._beside_counts = strangers.usage
        if self._accepted is None:
            yield self._accept(chunk.usage)
        if strangers.answer:
            self._remember(strangers.answer)
        for position, choice in enumerate(chunk.choices or ()):
            if choice.index in self._finished:
                continue
            message, beside = strangers.choices[position] if strangers.choices else ({}, {})
            delta = self._delta(choice, message, beside)
            if delta is None:
                continue
            if delta.finish is not None:
                self._finished.add(choice.index)
            if self.ended:
                self._last = delta
            else:
                yield delta

    def end(self) -> Iterator[Chunk]:
        """What was held back. Raises EngineError `engine_died` where the end never came."""
        if self._last is None:
            raise EngineError("engine_died", f"{self._host} ended before its answer did.")
        if self._usage is not None and self._usage.prompt:
            counted = Accepted(self._usage.prompt, self._usage.cached)
            if counted != self._accepted:
                yield counted
        yield self._counted(self._last)

    def _accept(self, usage: shapes.Usage | None) -> Accepted:
        if usage is not None and usage.prompt:
            self._accepted = Accepted(usage.prompt, usage.cached)
        else:
            self._accepted = Accepted(self._job.guess)
        return self._accepted

    def _counted(self, last: Delta) -> Delta:
        """The last delta, with what came after it, and the tokens that no piece was seen of."""
        if self._unsaid or self._beside_counts:
            said = last.extra or Extra()
            extra = Extra(said.message, said.choice, said.answer | self._unsaid, self._beside_counts)
            last = msgspec.structs.replace(last, extra=extra)
        if self._told or self._usage is None or self._usage.completion_tokens is None:
            return last
        missing = max(0, min(self._usage.completion_tokens, self._job.most) - self._untold)
        return msgspec.structs.replace(last, tokens=(*last.tokens, *(UNTOLD,) * missing))

    def _delta(self, choice: shapes.Choice, message: dict[str, JSON], beside: dict[str, JSON]) -> Delta | None:
        """None for a piece that says nothing, as the first one of a chat does."""
        piece = choice.delta
        text = (choice.text or "") if piece is None else piece.text
        reasoning = (piece.reasoning_content or piece.reasoning or "") if piece else ""
        calls = tuple(piece.tool_calls or ()) if piece else ()
        if choice.token_ids:
            self._told = True
            tokens = tuple(choice.token_ids)
        elif not self._told and (text or reasoning or calls):
            self._untold += 1
            tokens = (UNTOLD,)
        else:
            tokens = ()
        if not (tokens or text or choice.finish_reason or choice.logprobs or message or beside):
            return None
        return Delta(
            self._place(choice.index),
            text,
            tokens,
            None if choice.finish_reason is None else self._finish(choice.finish_reason),
            choice.stop_reason,
            reasoning,
            calls,
            _logprobs(choice.logprobs, self._job.top) if choice.logprobs else (),
            self._extra(message, beside),
        )

    def _place(self, index: int) -> int:
        if not 0 <= index < len(self._job.places):
            raise EngineError("engine_failed", f"{self._host} gave a choice that nobody asked for.")
        return self._job.places[index]

    def _finish(self, reason: str) -> FinishReason:
        if reason == "abort":
            raise EngineError("engine_died", f"{self._host} gave the answer up.")
        if reason == "error":
            raise EngineError("engine_failed", f"{self._host} failed while it answered.")
        # Whatever else it is called, the answer ended by itself.
        return _REASONS.get(reason, "stop")

    def _remember(self, answer: dict[str, JSON]) -> None:
        """Keep what is new of it: many servers say the same beside each chunk."""
        fresh = {name: value for name, value in answer.items() if self._answer.get(name) != value}
        self._answer |= fresh
        self._unsaid |= fresh

    def _extra(self, message: dict[str, JSON], choice: dict[str, JSON]) -> Extra | None:
        if not (message or choice or self._unsaid):
            return None
        answer, self._unsaid = self._unsaid, {}
        return Extra(message, choice, answer)


def _logprobs(said: shapes.Logprobs, top: int) -> tuple[TokenLogprob, ...]:
    if said.content is not None:
        return tuple(
            TokenLogprob(
                each.token, each.logprob, tuple((other.token, other.logprob) for other in each.top_logprobs or ())
            )
            for each in said.content
        )
    tokens = said.tokens or []
    columns = zip(tokens, said.token_logprobs or (), said.top_logprobs or (None,) * len(tokens), strict=False)
    # The first token of an echoed prompt has none.
    return tuple(TokenLogprob(token, each, _best(others, top)) for token, each, others in columns if each is not None)


def _best(others: dict[str, float] | None, top: int) -> tuple[tuple[str, float], ...]:
    """Servers list the token itself even where it is not among the best."""
    return tuple(sorted((others or {}).items(), key=lambda other: -other[1])[:top])

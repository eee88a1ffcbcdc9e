"""From what vLLM's engine says to deltas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vllm.outputs import CompletionOutput, RequestOutput
from vllm.parser.abstract_parser import Parser

from engines.base import Delta, FinishReason, TokenLogprob
from engines.errors import EngineError
from engines.vllm.rendering import Job, Rendered

_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length", "repetition": "stop"}


class Deltas:
    """Reads the outputs of one lane: which choice they are of, what its parser makes of them, how many are left."""

    def __init__(self, rendered: Rendered) -> None:
        self._request: Any = rendered.request
        self._top = rendered.jobs[0].sampling.logprobs or 0
        self._prompts = [job.prompt for _, job in rendered.choices()]
        count = len(self._prompts)
        self._left = count
        self._constrained = rendered.jobs[0].sampling.structured_outputs is not None
        self._parsers = [rendered.new_parser() for _ in range(count)] if rendered.new_parser else None
        self._called = [False] * count
        self._held: list[tuple[int, ...]] = [()] * count
        """Tokens whose text a parser still keeps to itself."""

    @property
    def are_plain(self) -> bool:
        """Whether no parser reads them: a token's delta is its text."""
        return self._parsers is None

    @property
    def ended(self) -> bool:
        """Whether every choice has its finish."""
        return self._left == 0

    def read(self, job: Job, output: RequestOutput) -> Iterator[Delta]:
        """The deltas in one output for that job. Raises EngineError `engine_failed`."""
        for completion in output.outputs:
            yield from self._read(job.choice + completion.index, completion)

    def skip(self) -> None:
        """One of the choices had its finish before, and nothing will be read of it."""
        self._left -= 1

    def catch_up(self, choice: int, completions: Iterable[CompletionOutput]) -> Delta:
        """Read what was said before, as one delta without tokens: all of them were given, even those a parser holds."""
        deltas = [delta for completion in completions for delta in self._read(choice, completion)]
        self._held[choice] = ()
        end = deltas[-1] if deltas else Delta(choice)
        return Delta(
            choice,
            "".join(delta.text for delta in deltas),
            finish=end.finish,
            stop=end.stop,
            reasoning="".join(delta.reasoning for delta in deltas),
            tool_calls=tuple(call for delta in deltas for call in delta.tool_calls),
        )

    def _read(self, choice: int, completion: CompletionOutput) -> Iterator[Delta]:
        finish = self._finish(completion)
        if finish is not None:
            self._left -= 1
        if self._parsers is not None:
            yield from self._parsed(choice, completion, finish)
            return
        yield Delta(
            choice,
            completion.text,
            tuple(completion.token_ids),
            finish,
            completion.stop_reason if finish is not None else None,
            logprobs=_logprobs(completion, self._top),
        )

    def _finish(self, completion: CompletionOutput) -> FinishReason | None:
        reason = completion.finish_reason
        if reason is None:
            return None
        if reason == "error" and self._constrained:
            raise EngineError(
                "invalid_request",
                "The engine cannot keep to this response format; a simpler schema may do.",
                parameter="response_format",
            )
        if reason not in _REASONS:
            raise EngineError("engine_failed", f"The engine ended the answer: {reason}.")
        return _REASONS[reason]

    def _parsed(self, choice: int, completion: CompletionOutput, finish: FinishReason | None) -> Iterator[Delta]:
        assert self._parsers is not None
        parser: Parser = self._parsers[choice]
        tokens = (*self._held[choice], *completion.token_ids)
        said = parser.parse_delta(
            completion.text,
            list(completion.token_ids),
            self._request,
            self._prompts[choice],
            finished=finish is not None,
        )
        calls = tuple(call.model_dump(exclude_none=True) for call in said.tool_calls) if said else ()
        self._called[choice] |= bool(calls)
        if said is None and finish is None:
            self._held[choice] = tokens
            return
        self._held[choice] = ()
        if finish == "stop" and self._called[choice]:
            finish = "tool_calls"
        yield Delta(
            choice,
            (said.content or "") if said else "",
            tokens,
            finish,
            completion.stop_reason if finish is not None else None,
            (said.reasoning or "") if said and self._request.include_reasoning else "",
            calls,
            _logprobs(completion, self._top),
        )


def _logprobs(completion: CompletionOutput, top: int) -> tuple[TokenLogprob, ...]:
    if not completion.logprobs:
        return ()
    said = []
    for token, candidates in zip(completion.token_ids, completion.logprobs, strict=False):
        if candidates is not None:
            chosen = candidates[token]
            # vLLM lists the chosen token even where it is not among the best.
            best = sorted(candidates.values(), key=lambda candidate: candidate.rank or 0)[:top]
            alternatives = tuple((candidate.decoded_token or "", candidate.logprob) for candidate in best)
            said.append(TokenLogprob(chosen.decoded_token or "", chosen.logprob, alternatives))
    return tuple(said)

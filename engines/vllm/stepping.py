"""One step of vLLM's engine, read in one pass: a plain token in the middle of an answer costs one decoding.

vLLM's own `process_outputs` makes three objects for each token and looks at all that a request may ask for. What asks
for nothing of it (no stop strings, no logprobs, one choice) is read here; a first token, a last one and all else are
vLLM's. Its metrics count every token either way; tests/engines/vllm holds both ways to the same words and figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.v1.engine import EngineCoreOutput
from vllm.v1.engine.detokenizer import FastIncrementalDetokenizer
from vllm.v1.engine.output_processor import OutputProcessor, RequestState
from vllm.v1.metrics.stats import IterationStats

Give = Callable[[str, int], None]
"""Takes the text and the id of one token."""

_GIVE: Final = "hearth_give"
"""What vLLM's state of a request has beside vLLM's own, so that it goes when that goes."""


class Stepping:
    """Stands around vLLM's own processing of a step. One for each engine."""

    def __init__(self, processor: OutputProcessor) -> None:
        self._states: dict[str, RequestState] = processor.request_states
        self._whole: Callable[..., Any] = processor.process_outputs
        self._version: str | None = None
        """The weights of the last step; tokens of others are vLLM's to tell."""
        vars(processor)["process_outputs"] = self._process

    def shorten(self, id: str, sampling: SamplingParams, give: Give) -> None:
        """Have the plain tokens of that request (vLLM's own name for it) given so, if it is one that has them."""
        state = self._states.get(id)
        if state is not None and _is_plain(state, sampling):
            vars(state)[_GIVE] = give

    def _process(
        self,
        outputs: Sequence[EngineCoreOutput],
        timestamp: float | None = None,
        stats: IterationStats | None = None,
        weight_version: str | None = None,
    ) -> Any:
        if weight_version != self._version:
            self._version = weight_version
            return self._whole(outputs, timestamp, stats, weight_version)
        states = self._states
        others: list[EngineCoreOutput] = []
        gaps: list[float] = []
        for output in outputs:
            state = states.get(output.request_id)
            give = getattr(state, _GIVE, None)
            tokens = output.new_token_ids
            if give is None or state is None or state.is_prefilling or len(tokens) != 1 or _says_more(output):
                others.append(output)
                continue
            detokenizer: Any = state.detokenizer
            detokenizer.token_ids.append(tokens[0])
            if stats is not None and (told := state.stats) is not None and timestamp is not None:
                told.num_generation_tokens += 1
                gaps.append(timestamp - told.last_token_ts)
                told.last_token_ts = timestamp
            give(detokenizer.decode_next(tokens[0]), tokens[0])
        if stats is not None and gaps:
            stats.num_generation_tokens += len(gaps)
            stats.inter_token_latencies_iter.extend(gaps)
        return self._whole(others, timestamp, stats, weight_version)


def _says_more(output: EngineCoreOutput) -> bool:
    return (
        output.finish_reason is not None
        or output.events is not None
        or output.num_nans_in_logits > 0
        or output.new_logprobs is not None
        or output.routed_experts is not None
        or output.new_sampling_mask is not None
    )


def _is_plain(state: RequestState, sampling: SamplingParams) -> bool:
    """Whether a token of it is its text and nothing else."""
    return (
        state.parent_req is None
        and state.output_kind is RequestOutputKind.DELTA
        and state.stream_interval == 1
        and not state.streaming_input
        and isinstance(state.detokenizer, FastIncrementalDetokenizer)
        and not state.detokenizer.stop
        and sampling.num_logprobs is None
        and sampling.prompt_logprobs is None
    )

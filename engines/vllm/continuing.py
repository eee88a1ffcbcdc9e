"""Going on where another engine stopped: what was said is read again by vLLM's own detokenizer and parsers.

They then stand where those of the other engine stood, with the text they hold back: half a character, what may become
a stop string, what may become a tool call. The model is given the prompt and the tokens so far as one prompt.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

from vllm.outputs import CompletionOutput
from vllm.sampling_params import SamplingParams
from vllm.v1.engine import EngineCoreRequest
from vllm.v1.engine.detokenizer import IncrementalDetokenizer
from vllm.v1.engine.output_processor import OutputProcessor

from engines.base import UNTOLD, Delta, Said
from engines.errors import EngineError
from engines.vllm.deltas import Deltas
from engines.vllm.rendering import Job, Rendered


class Continuing:
    """Plans how the choices of a prompt go on, and has vLLM go on with detokenizers that have read the answer so far.

    One for each engine. vLLM makes a detokenizer for each request it notes down, and may use it before `add_request`
    returns; so `_note` stands around vLLM's own noting.
    """

    def __init__(self, processor: OutputProcessor) -> None:
        self._processor: Any = processor
        self._vllm_notes = processor.add_request
        self._processor.add_request = self._note
        self._expected: dict[str, IncrementalDetokenizer] = {}

    def expect(self, id: str, detokenizer: IncrementalDetokenizer) -> None:
        """The request of that id is to have this detokenizer."""
        self._expected[id] = detokenizer

    def forget(self, id: str) -> None:
        """The request of that id was noted, or never will be."""
        self._expected.pop(id, None)

    def _note(self, request: EngineCoreRequest, *others: Any) -> None:
        self._vllm_notes(request, *others)
        detokenizer = self._expected.get(request.external_req_id or "")
        if detokenizer is not None:
            state = self._processor.request_states[request.request_id]
            state.detokenizer = detokenizer
            state.sent_tokens_offset = detokenizer.num_output_tokens()

    def plan(self, rendered: Rendered, deltas: Deltas, said: tuple[Said, ...]) -> tuple[list[Delta], list[Job]]:
        """What readers are still owed of what was said, and a job for each choice that has more to say.

        `deltas` are brought to where the choices stand. Raises EngineError `cannot_continue`.
        """
        owed: list[Delta] = []
        jobs: list[Job] = []
        echoes = dict(rendered.echo())
        for choice, job in rendered.choices():
            one = said[choice]
            if one.finished:
                deltas.skip()
                continue
            if one.tokens:
                _check(job, one)
            detokenizer = self._detokenizer(job)
            whole = deltas.catch_up(choice, _read_again(detokenizer, job.sampling.max_tokens, one.tokens))
            rest = _rest(echoes.get(choice, ""), whole, one)
            if rest.text or rest.reasoning or rest.finish:
                owed.append(rest)
            if whole.finish is None:
                jobs.append(_go_on(job, choice, one.tokens, detokenizer))
        return owed, jobs

    def _detokenizer(self, job: Job) -> IncrementalDetokenizer:
        """The one that vLLM would make for this prompt if nothing were said yet."""
        request = EngineCoreRequest(
            request_id="",
            prompt_token_ids=job.prompt,
            mm_features=None,
            sampling_params=job.sampling,
            pooling_params=None,
            arrival_time=0,
            lora_request=None,
            cache_salt=None,
            data_parallel_rank=None,
        )
        tokenizer = self._processor.tokenizer if job.sampling.detokenize else None
        return IncrementalDetokenizer.from_new_request(tokenizer, request)


def _check(job: Job, said: Said) -> None:
    """Raises EngineError `cannot_continue` where vLLM has no way to know what was said."""
    if UNTOLD in said.tokens:
        raise _cannot("the engine that began it does not tell its tokens")
    if job.sampling.structured_outputs is not None:
        raise _cannot("its format is fixed, and how far it got is lost")
    if job.sampling.bad_words:
        raise _cannot("forbidden words may straddle the place where it stopped")
    if said.tool_calls:
        raise _cannot("it stopped within a tool call")
    if job.engine_input["type"] not in ("token", "multimodal") or not job.prompt:
        raise _cannot("its prompt is not made of tokens")


def _cannot(why: str) -> EngineError:
    return EngineError("cannot_continue", f"The answer was interrupted and cannot be continued: {why}. Ask again.")


def _read_again(
    detokenizer: IncrementalDetokenizer, longest: int | None, tokens: tuple[int, ...]
) -> Iterator[CompletionOutput]:
    """What vLLM said with each of these tokens; the last one may turn out to be the end."""
    for count, token in enumerate(tokens, 1):
        stop = detokenizer.update([token], stop_terminated=False)
        reason = "stop" if stop is not None else "length" if count == longest else None
        text = detokenizer.get_next_output_text(finished=reason is not None, delta=True)
        yield CompletionOutput(0, text, [token], None, None, finish_reason=reason, stop_reason=stop)
        if reason is not None:
            return


def _rest(echo: str, whole: Delta, said: Said) -> Delta:
    """What the tokens so far say beyond what readers were given."""
    text = echo + whole.text
    reading_differs = not text.startswith(said.text) or not whole.reasoning.startswith(said.reasoning)
    if reading_differs or whole.tool_calls:
        raise _cannot("this engine reads its tokens differently")
    return Delta(
        whole.choice,
        text[len(said.text) :],
        finish=whole.finish,
        stop=whole.stop,
        reasoning=whole.reasoning[len(said.reasoning) :],
    )


def _go_on(job: Job, choice: int, tokens: tuple[int, ...], detokenizer: IncrementalDetokenizer) -> Job:
    engine_input: Any = {**job.engine_input}
    if tokens:
        engine_input["prompt_token_ids"] = [*job.prompt, *tokens]
    sampling = _sampling_after(job.sampling, choice - job.choice, tokens)
    return Job(choice, engine_input, sampling, job.options, detokenizer)


def _sampling_after(sampling: SamplingParams, index: int, tokens: tuple[int, ...]) -> SamplingParams:
    """The same sampling for the rest of the answer of that index among `n`."""
    after = copy.copy(sampling)
    after.n = 1
    if after.max_tokens is not None:
        after.max_tokens -= len(tokens)
    after.min_tokens = max(0, after.min_tokens - len(tokens))
    if after.seed is not None:
        # vLLM adds the index itself where it makes `n` requests of one. A seed that repeats would repeat its chances.
        after.seed += index + len(tokens)
    if after.frequency_penalty:
        # vLLM counts the tokens of an answer alone, and these are of the prompt now.
        bias = dict(after.logit_bias or {})
        for token, count in Counter(tokens).items():
            bias[token] = bias.get(token, 0.0) - after.frequency_penalty * count
        after.logit_bias = bias
    return after

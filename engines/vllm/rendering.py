"""From a prompt to what vLLM's engine takes, by vLLM's own request models, chat templates and sampling rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import jinja2
import pydantic
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import get_max_tokens
from vllm.exceptions import VLLMClientError
from vllm.inputs import EngineInput
from vllm.parser.abstract_parser import Parser
from vllm.renderers.online_renderer import OnlineRenderer
from vllm.sampling_params import SamplingParams
from vllm.v1.engine.detokenizer import IncrementalDetokenizer

from engines.base import Prompt
from engines.errors import EngineError
from engines.vllm.inline import Inline

_Request: TypeAlias = ChatCompletionRequest | CompletionRequest

# The surfaces' own business, or of no use in a stream of deltas.
_NOT_TAKEN = frozenset({"messages", "prompt", "model", "stream", "stream_options", "request_id", "use_beam_search"})
_PENALTIES = {"frequency_penalty": 0.0, "presence_penalty": 0.0}
_TOO_LONG = frozenset({"input_tokens", "input_text"})
_LONGEST = 500
_OPTION = re.compile(r"--([a-z][a-z-]+)")

REFUSALS = (
    VLLMClientError,
    pydantic.ValidationError,
    jinja2.TemplateError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
)
"""What vLLM raises when the fault is in what was asked."""


class Job(NamedTuple):
    """One text to continue: vLLM's input and sampling, and what `add_request` wants beside them.

    Its answers are the choices from `choice` on. `detokenizer` is one that has read what was said already, if anything
    was.
    """

    choice: int
    engine_input: EngineInput
    sampling: SamplingParams
    options: dict[str, Any]
    detokenizer: IncrementalDetokenizer | None = None

    @property
    def prompt(self) -> list[int]:
        """The tokens to continue; none where the model is given something else."""
        ids: list[int] = self.engine_input.get("prompt_token_ids") or []
        return ids


class Rendered(NamedTuple):
    """A prompt as vLLM takes it: a job for each text, the request they came from, and a parser for each choice."""

    jobs: list[Job]
    request: _Request
    new_parser: Callable[[], Parser] | None

    @property
    def prompt_tokens(self) -> int:
        return sum(len(job.prompt) for job in self.jobs)

    def choices(self) -> Iterator[tuple[int, Job]]:
        """Each choice, and the job that answers it."""
        for job in self.jobs:
            for choice in range(job.choice, job.choice + job.sampling.n):
                yield choice, job

    def echo(self) -> Iterator[tuple[int, str]]:
        """Each choice and the text of its prompt, where the caller wants that said again."""
        if isinstance(self.request, CompletionRequest) and self.request.echo:
            for choice, job in self.choices():
                yield choice, str(job.options["prompt_text"])


def parameters() -> frozenset[str]:
    """The names that `Prompt.parameters` may hold."""
    return (frozenset(ChatCompletionRequest.model_fields) | frozenset(CompletionRequest.model_fields)) - _NOT_TAKEN


class Rendering:
    """Renders prompts for one model."""

    def __init__(self, renderer: OnlineRenderer, model: str) -> None:
        self._renderer = renderer
        self._inline = Inline(renderer.renderer._executor)
        self._model = model
        config = renderer.model_config
        self._defaults: dict[str, Any] = config.get_diff_sampling_param()
        self._max_len: int = config.max_model_len
        if config.generation_config in ("auto", "vllm"):
            self._override = config.override_generation_config.get("max_new_tokens")
        else:
            self._override = self._defaults.get("max_tokens")

    @property
    def chat_defaults(self) -> dict[str, Any]:
        """What vLLM and the model's own configuration put for what a chat does not say."""
        return self._put(ChatCompletionRequest)

    @property
    def text_defaults(self) -> dict[str, Any]:
        """The same for a completion."""
        return self._put(CompletionRequest)

    def _put(self, model: type[_Request]) -> dict[str, Any]:
        plain = {
            name: field.default
            for name, field in model.model_fields.items()
            if name not in _NOT_TAKEN and isinstance(field.default, bool | int | float)
        }
        sampling = {**_neutral(model), **_PENALTIES, **self._defaults}
        return plain | {name: value for name, value in sampling.items() if name in model.model_fields}

    async def render(self, prompt: Prompt) -> Rendered:
        """What vLLM takes. Raises EngineError `invalid_request`, `context_length_exceeded`."""
        self._inline.heed(prompt)
        try:
            return await (self._chat(prompt) if prompt.is_chat else self._texts(prompt))
        except REFUSALS as error:
            raise refusal(error) from error

    async def _chat(self, prompt: Prompt) -> Rendered:
        body = {**self._named(prompt, ChatCompletionRequest), "messages": list(prompt.messages)}
        request = ChatCompletionRequest.model_validate(body)
        made = self._renderer.parser
        kwargs = self._renderer.effective_chat_template_kwargs(request)

        def new_parser() -> Parser:
            assert made is not None
            return made(
                self._renderer.renderer.get_tokenizer(),
                request.tools,
                chat_template_kwargs=kwargs,
                model_config=self._renderer.model_config,
            )

        rendered = await self._renderer.render_chat(request)
        if not isinstance(rendered, tuple):
            raise _told(rendered)
        _, inputs = rendered
        options: dict[str, Any] = {"priority": request.priority}
        if made is not None:
            parser = new_parser()
            ids = list(inputs[0].get("prompt_token_ids") or [])
            options["reasoning_ended"] = request.resolve_reasoning_ended(parser, ids)
            if parser.reasoning_parser is not None:
                options["reasoning_parser_kwargs"] = {"chat_template_kwargs": kwargs}
        asked = request.max_completion_tokens if request.max_completion_tokens is not None else request.max_tokens
        jobs = [self._job(request, 0, inputs[0], asked, options)]
        return Rendered(jobs, request, None if made is None else new_parser)

    async def _texts(self, prompt: Prompt) -> Rendered:
        named = self._named(prompt, CompletionRequest)
        tokenizer = self._renderer.renderer.get_tokenizer()
        jobs = []
        # One request for each text: vLLM takes a list of strings or of token lists, but not of both.
        for index, text in enumerate(prompt.texts):
            asked = text if isinstance(text, str) else list(text)
            request = CompletionRequest.model_validate({**named, "prompt": asked})
            if request.echo and request.logprobs is not None:
                raise EngineError(
                    "invalid_request", "`echo` with `logprobs` is not supported; leave one out.", parameter="echo"
                )
            inputs = await self._renderer.render_completion(request)
            if not isinstance(inputs, list):
                raise _told(inputs)
            options = {"priority": request.priority}
            if request.echo:
                options["prompt_text"] = text if isinstance(text, str) else tokenizer.decode(list(text))
            jobs.append(self._job(request, index, inputs[0], request.max_tokens, options))
        return Rendered(jobs, request, None)

    def _named(self, prompt: Prompt, model: type[_Request]) -> Mapping[str, Any]:
        for name in prompt.parameters:
            if name not in model.model_fields or name in _NOT_TAKEN:
                raise EngineError(
                    "invalid_request", f"{self._model} takes no parameter {name[:100]!r} here.", parameter=name[:100]
                )
        return {**prompt.parameters, "model": self._model, "stream": True}

    def _job(
        self, request: _Request, index: int, engine_input: EngineInput, asked: int | None, options: dict[str, Any]
    ) -> Job:
        room = get_max_tokens(
            self._max_len,
            asked,
            _length(engine_input),
            self._defaults,
            self._override,
            truncate_prompt_tokens=request.truncate_prompt_tokens,
        )
        sampling = request.to_sampling_params(room, self._defaults)
        return Job(index * sampling.n, engine_input, sampling, options)


def _neutral(model: type[_Request]) -> dict[str, Any]:
    """What vLLM puts where neither the caller nor the model's configuration says anything."""
    held: Any = model.__private_attributes__["_DEFAULT_SAMPLING_PARAMS"]
    return dict(held.default)


def refusal(error: Exception, too_long: str = "messages") -> EngineError:
    """What the caller is told when vLLM does not take a prompt; `too_long` is the field at fault if it does not fit."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, pydantic.ValidationError):
        return _invalid(error)
    parameter = getattr(error, "parameter", None)
    message = str(error.args[0]) if error.args else str(error)
    if parameter in _TOO_LONG:
        return EngineError("context_length_exceeded", _cut(message), parameter=too_long)
    return EngineError("invalid_request", _cut(message), parameter=parameter)


def _invalid(error: pydantic.ValidationError) -> EngineError:
    errors = error.errors(include_url=False, include_input=False)
    # Of a union every branch complains; the one whose type fits says what is really wrong.
    told = next((each for each in errors if not each["type"].endswith("_type")), errors[0])
    where = str(told["loc"][0]) if told["loc"] else None
    return EngineError("invalid_request", _cut(f"{where}: {told['msg']}" if where else told["msg"]), parameter=where)


def _told(answer: ErrorResponse) -> EngineError:
    """vLLM's own refusal; its options are Hearth's knobs."""
    message = _OPTION.sub(lambda option: f"the knob {option[1].replace('-', '_')}", answer.error.message)
    return EngineError("invalid_request", _cut(message), parameter=answer.error.param)


def _cut(message: str) -> str:
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."


def _length(engine_input: EngineInput) -> int:
    return len(engine_input.get("prompt_token_ids") or ())

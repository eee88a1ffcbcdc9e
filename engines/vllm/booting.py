"""From a model's name and knobs to vLLM's engine, in the order of start-up that a CPU wants."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any, NoReturn

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import (
    make_arg_parser,
    resolve_default_chat_template_kwargs,
    validate_parsed_serve_args,
)
from vllm.platforms import current_platform
from vllm.renderers.chat_utils import load_chat_template
from vllm.renderers.online_renderer import OnlineRenderer
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.engine.async_llm import AsyncLLM

from engines.base import Report
from engines.errors import EngineError
from engines.vllm import shortcuts
from engines.vllm.faults import sentence
from engines.vllm.telling import Fail, tell

_CPU_KV_BYTES = str(1 << 30)
_SEVERAL = {"tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"}
"""Knobs that may want more than one process."""


def parse(name: str, source: str, knobs: Mapping[str, str], sleeps: bool = False) -> Any:
    """The knobs as `vllm serve` would read them. Raises EngineError `bad_model_source`."""
    if sleeps and not current_platform.is_sleep_mode_available():
        raise EngineError(
            "bad_model_source",
            f"rest=sleep: vLLM cannot sleep on this platform ({current_platform.device_name}). Write rest=stop, or "
            "leave it out: the engine then ends while it is cold.",
        )
    parser = make_arg_parser(FlexibleArgumentParser(exit_on_error=False))

    def refuse(message: str) -> NoReturn:
        raise EngineError("bad_model_source", f"vLLM does not take these knobs: {message}.")

    parser.error = refuse
    words = ["--model", source, "--served-model-name", name]
    knobs = {"use_tqdm_on_load": "false", **({"enable_sleep_mode": "true"} if sleeps else {}), **knobs}
    if current_platform.is_cpu():
        # Compiling and one more process cost a small machine more than they give it.
        lean = {"enforce_eager": "true", "kv_cache_memory_bytes": _CPU_KV_BYTES}
        if not _SEVERAL & {knob.replace("-", "_") for knob in knobs}:
            lean["distributed_executor_backend"] = "uni"
        knobs = {**lean, **knobs}
    for knob, value in knobs.items():
        flag = knob.replace("_", "-")
        if value in ("", "true"):
            words.append(f"--{flag}")
        elif value == "false":
            words.append(f"--no-{flag}")
        else:
            words += [f"--{flag}", value]
    try:
        arguments = parser.parse_args(words)
        validate_parsed_serve_args(arguments)
    except (argparse.ArgumentError, TypeError, ValueError) as error:
        refuse(sentence(error, source).rstrip("."))
    return arguments


def boot(arguments: Any, report: Report, fail: Fail) -> AsyncLLM:
    """The engine those arguments describe, its weights loaded. Raises whatever vLLM does.

    What kept the engine core from it is given to `fail` before.
    """
    if current_platform.is_cpu():
        shortcuts.take()
    config = AsyncEngineArgs.from_cli_args(arguments).create_engine_config()
    if current_platform.is_cpu():
        # Making the configuration sets `spawn`, and a spawned engine core would import everything again. Nothing that
        # forbids a fork has begun yet: no thread, no event loop, no torch operation.
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    report("starting the engine core")
    tell(report, fail)
    return AsyncLLM.from_vllm_config(config, disable_log_stats=False, enable_log_requests=arguments.enable_log_requests)


def renderer(engine: AsyncLLM, arguments: Any) -> OnlineRenderer:
    """vLLM's own renderer of chats and prompts, as `vllm serve` would make it."""
    return OnlineRenderer(
        model_config=engine.model_config,
        renderer=engine.renderer,
        request_logger=None,
        chat_template=load_chat_template(arguments.chat_template),
        chat_template_content_format=arguments.chat_template_content_format,
        trust_request_chat_template=arguments.trust_request_chat_template,
        trust_request_mm_kwargs=arguments.trust_request_mm_kwargs,
        enable_auto_tools=arguments.enable_auto_tool_choice,
        exclude_tools_when_tool_choice_none=arguments.exclude_tools_when_tool_choice_none,
        tool_parser=arguments.tool_call_parser,
        tool_strict_level=arguments.tool_strict_level,
        reasoning_parser=arguments.structured_outputs_config.reasoning_parser,
        default_chat_template_kwargs=resolve_default_chat_template_kwargs(arguments),
    )

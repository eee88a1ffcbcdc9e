"""The stages that only the engine core knows of: told by itself, on the socket that it has from its host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from vllm.v1.worker.worker_base import WorkerWrapperBase

from engines.base import Report

_STAGES: Final = {
    "init_device": "preparing the device",
    "load_model": "loading the weights",
    "determine_available_memory": "measuring the memory",
    "initialize_from_config": "making the KV cache",
    "compile_or_warm_up_model": "warming up the model",
}
"""What vLLM's executor asks of a worker, in this order. On a GPU it compiles while it measures."""


def tell_stages(report: Report) -> None:
    """In the host, before the engine core is forked from it. Where vLLM spawns instead, these stages are not told."""
    for method, stage in _STAGES.items():
        setattr(WorkerWrapperBase, method, _telling(method, stage, report))


def _telling(method: str, stage: str, report: Report) -> Callable[..., Any]:
    own = vars(WorkerWrapperBase).get(method)

    def told(wrapper: Any, *arguments: Any, **named: Any) -> Any:
        if wrapper.global_rank == 0:
            report(stage)
        return own(wrapper, *arguments, **named) if own else getattr(wrapper.worker, method)(*arguments, **named)

    return told

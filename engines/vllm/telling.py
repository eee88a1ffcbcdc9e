"""What only the engine core knows of a boot, told by itself, on the socket that it has from its host.

vLLM tells the host that its engine core failed, and not why. Where vLLM spawns processes instead of forking them, none
of this is told.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from vllm.v1.engine.core import EngineCoreProc
from vllm.v1.worker.worker_base import WorkerWrapperBase

from engines.base import Report

_STAGES: Final = {
    "init_worker": "preparing the worker",
    "init_device": "preparing the device",
    "load_model": "loading the weights",
    "determine_available_memory": "measuring the memory",
    "initialize_from_config": "making the KV cache",
    "compile_or_warm_up_model": "warming up the model",
}
"""What vLLM's executor asks of a worker, in this order. On a GPU it compiles while it measures."""

Fail = Callable[[Exception], None]


def tell(report: Report, fail: Fail) -> None:
    """In the host, before the engine core is forked from it: have it report its stages, and what it failed of."""
    core: Any = EngineCoreProc
    core.__init__ = _failing(core.__init__, fail)
    for method, stage in _STAGES.items():
        setattr(WorkerWrapperBase, method, _failing(_telling(method, stage, report), fail))


def _telling(method: str, stage: str, report: Report) -> Callable[..., Any]:
    own = vars(WorkerWrapperBase).get(method)

    def told(wrapper: Any, *arguments: Any, **named: Any) -> Any:
        if wrapper.global_rank == 0:
            report(stage)
        return own(wrapper, *arguments, **named) if own else getattr(wrapper.worker, method)(*arguments, **named)

    return told


def _failing(work: Callable[..., Any], fail: Fail) -> Callable[..., Any]:
    @wraps(work)
    def told(*arguments: Any, **named: Any) -> Any:
        try:
            return work(*arguments, **named)
        except Exception as error:
            fail(error)
            raise

    return told

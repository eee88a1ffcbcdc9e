"""What vLLM does in a boot on a CPU that a boot from the nursery can do without. GPUs are left as vLLM has them.

docs/benchmarks.md says what each of them spares.
"""

from __future__ import annotations

import gc
import mmap
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode
from vllm.model_executor.models import registry as model_registry
from vllm.platforms import current_platform
from vllm.v1.worker.worker_base import WorkerWrapperBase

_LARGE: Final = 1 << 20


def register_kernels() -> None:
    """In the nursery: put vLLM's CPU kernels in place of Triton's, which looks through every module, for all boots."""
    current_platform.register_triton_kernel_overrides()
    type(current_platform).register_triton_kernel_overrides = classmethod(lambda cls: None)


def take() -> None:
    """In the host, before the engine core is forked from it."""
    # To keep CUDA out of this process, vLLM looks at a model's class in another, which imports everything again: eight
    # seconds, the first time a user boots. Here is no CUDA.
    vars(model_registry)["_run_in_subprocess"] = lambda inspect: inspect()
    wrapper: Any = WorkerWrapperBase
    wrapper.initialize_from_config = _untouched(wrapper.initialize_from_config)
    # At its end the engine core thaws what was imported and collects garbage in it three times. The process ends next.
    vars(gc)["unfreeze"] = lambda: None


def _untouched(make: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(make)
    def made(*arguments: Any) -> Any:
        with _Untouched():
            return make(*arguments)

    return made


class _Untouched(TorchFunctionMode):  # type: ignore[misc]
    """Zeros as the kernel gives them: a page is there when it is first written.

    vLLM writes zeros over its whole KV cache, which takes as long as the machine needs to find all that memory.
    """

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        size = arguments[0] if arguments else None
        if function is torch.zeros and isinstance(size, int) and size > _LARGE and named.get("dtype") is torch.int8:
            return torch.frombuffer(mmap.mmap(-1, size), dtype=torch.int8)
        return function(*arguments, **named)

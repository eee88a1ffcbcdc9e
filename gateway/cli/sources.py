"""What speaks against a model before anybody boots it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from engines import registry
from engines.errors import EngineError
from engines.openai.upstream import Upstream


def fault(written: str, upstreams: Mapping[str, Upstream], workers: int = 1) -> str | None:
    """Why the model that is named so cannot be served, with a remedy; None if nothing speaks against it yet."""
    try:
        model = registry.parse(written)
        [place] = registry.build([model], upstreams=upstreams)
    except EngineError as error:
        return f"{error.message.rstrip('.')}. See `hearth serve --help`."
    if workers > 1 and place.predictor and place.shared is None:
        return f"{model.name}=cog: wants a server of one process: set workers = 1, or name a container."
    if model.engine != "vllm":
        return None
    if find_spec("vllm") is None:
        return f"{model.name} wants vLLM, which is not installed: `make venv EXTRA=cpu`, or EXTRA=gpu for a GPU."
    if model.source.startswith(("/", ".", "~")) and not (Path(model.source) / "config.json").is_file():
        return (
            f"{model.name}: {model.source} is no model's folder (there is no config.json in it); "
            "give a folder, a model's name on Hugging Face, or `bundled`."
        )
    return None

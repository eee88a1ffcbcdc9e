"""What a model on Replicate gave, as text. Pure."""

from __future__ import annotations

import msgspec

from engines.base import JSON, UNTOLD, Delta
from engines.replicate.wire import Metrics, Prediction


def text(output: JSON, *, speaks: bool) -> str:
    """The text of an output: pieces put together, where the model `speaks` in such; anything but text is told as JSON.

    Line ends are `\\n`, as the stream has them.
    """
    if output is None:
        return ""
    if speaks and isinstance(output, list):
        return _plain("".join(text(each, speaks=False) for each in output))
    return _plain(output) if isinstance(output, str) else msgspec.json.encode(output).decode()


def rest(told: str, output: str) -> str:
    """What of an output is not told yet; nothing where that is not how it begins."""
    return output[len(told) :] if output.startswith(told) else ""


def ending(choice: int, prediction: Prediction, pieces: int, most: int | None) -> Delta:
    """The last delta of an answer that was told in so many pieces, each counted as a token; it may have `most` tokens.

    It brings the tokens that no piece was seen of, where the platform tells how many there are.
    """
    tokens = round((prediction.metrics or Metrics()).output_token_count or 0)
    cut = most is not None and tokens >= most
    return Delta(choice, tokens=(UNTOLD,) * max(0, tokens - pieces), finish="length" if cut else "stop")


def _plain(said: str) -> str:
    return said.replace("\r\n", "\n").replace("\r", "\n")

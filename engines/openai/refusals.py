"""What an upstream's refusals mean, whichever server wrote them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from engines.errors import EngineError

_LONGEST: Final = 500
_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|maximum context length|context (length|window|size)|`inputs` (must have less than|tokens)"
    r"|longer than the model's|prompt is too long|input is too long|max_total_tokens",
    re.IGNORECASE,
)
"""How vLLM, OpenAI, SGLang, TGI and llama.cpp say that a prompt does not fit."""
_TOO_MUCH_WANTED: Final = re.compile(r"max_(completion_|new_)?tokens", re.IGNORECASE)
"""What they name where the prompt fits, and only the answer was to be too long."""
_MOST_RETRY_S: Final = 3600.0


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, host: str, now: float, too_long: str
) -> EngineError:
    """What a status other than 200 means; `too_long` is the field at fault if the prompt does not fit."""
    message, parameter, code = _told(body)
    if status in (401, 403):
        # In its own words there may be a part of the key.
        return EngineError("engine_failed", f"{host} refuses the key that is set for it ({status}).")
    if status == 402 or code == "insufficient_quota":
        return EngineError("upstream_budget", f"{host} answers no more for what is paid: {message or status}")
    if status in (429, 503):
        retry = _retry_after(headers, now)
        return EngineError("engine_busy", f"{host} has too much to do: {message or status}", retry_after_s=retry)
    if status in (502, 504):
        return EngineError("engine_unreachable", f"{host} cannot be reached: something before it answers {status}.")
    if status == 413 or (status in (400, 422) and _does_not_fit(message, parameter, code)):
        return EngineError("context_length_exceeded", message or "The prompt does not fit.", parameter=too_long)
    if status in (400, 422):
        return EngineError("invalid_request", message or "The upstream refuses the request.", parameter=parameter)
    return EngineError("engine_failed", f"{host} answered {status}{': ' if message else '.'}{message}")


def broken_off(error: Any, host: str) -> EngineError:
    """What an error means that came in the middle of a stream."""
    message, parameter, code = _of(error if isinstance(error, dict) else {"error": error})
    status = error.get("code") if isinstance(error, dict) else None
    if status in (400, 422):
        return EngineError("invalid_request", message, parameter=parameter)
    return EngineError("engine_failed", f"{host} failed while it answered: {message or code or 'it says not why'}")


def _does_not_fit(message: str, parameter: str | None, code: str) -> bool:
    if parameter is not None and _TOO_MUCH_WANTED.search(parameter):
        return False
    return bool(_TOO_LONG.search(message) or _TOO_LONG.search(code)) or parameter in ("input_tokens", "input_text")


def _told(body: bytes) -> tuple[str, str | None, str]:
    try:
        return _of(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _cut(body.decode(errors="replace")), None, ""


def _of(body: Any) -> tuple[str, str | None, str]:
    """The message, the field at fault and the code, in OpenAI's shape, TGI's, SGLang's, FastAPI's or another."""
    if not isinstance(body, dict):
        return _cut(str(body)), None, ""
    error = body.get("error", body)
    if not isinstance(error, dict):
        error = {"message": error}
    message = error.get("message") or error.get("detail") or ""
    parameter = error.get("param")
    where = parameter.removeprefix("body.").partition(".")[0] if isinstance(parameter, str) else None
    return _cut(message if isinstance(message, str) else str(message)), where or None, str(error.get("code") or "")


def _cut(message: str) -> str:
    message = message.strip()
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds, or a date as RFC 9110 (10.2.3) has it."""
    told = headers.get("Retry-After")
    if told is None:
        return None
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - now
        except ValueError:
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _MOST_RETRY_S)

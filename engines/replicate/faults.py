"""What went wrong at Replicate, in the engines' own words. Pure; no token and no account is ever told."""

from __future__ import annotations

from typing import Final

import msgspec

from engines.errors import EngineError
from engines.replicate.source import GRAMMAR
from engines.replicate.wire import Prediction, Problem

_LONGEST: Final = 1000
"""Letters of a foreign sentence that are passed on."""


def refusal(status: int, body: bytes, retry_after: str | None, model: str) -> EngineError:
    """Why Replicate refused a call, by its answer."""
    problem = _problem(body)
    if status in (401, 403):
        return EngineError("engine_failed", "Replicate refuses the key of this server; see replicate_api_token.")
    if status == 402:
        return EngineError(
            "upstream_budget", "The Replicate account of this server has no credit left, or reached its limit."
        )
    if status == 404 or (status == 422 and "version" in problem.title.lower()):
        return EngineError(
            "bad_model_source",
            f"Replicate has no model {model}, or this server's account may not run it; write {GRAMMAR}.",
        )
    if status in (400, 413, 422):
        return _invalid(problem)
    if status in (429, 503):
        return EngineError("engine_busy", "Replicate takes no more work just now.", retry_after_s=seconds(retry_after))
    return EngineError("engine_failed", f"Replicate answered with status {status}.")


def outcome(prediction: Prediction) -> EngineError | None:
    """Why an ended prediction gave no whole answer; None when it did."""
    if prediction.status == "succeeded":
        return None
    if prediction.status == "failed":
        return EngineError("engine_failed", f"The prediction on Replicate failed: {_said(prediction.error)}")
    return EngineError("engine_died", f"Replicate ended the prediction: it is {prediction.status}.")


def seconds(retry_after: str | None) -> float | None:
    """What a `Retry-After` says; None where it is missing or a date."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


def _invalid(problem: Problem) -> EngineError:
    said = _said(problem.detail or problem.title)
    field = problem.invalid_fields[0].field.removeprefix("input.") if problem.invalid_fields else None
    return EngineError("invalid_request", f"Replicate does not take this: {said}", parameter=field or None)


def _problem(body: bytes) -> Problem:
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        return Problem()


def _said(told: object) -> str:
    return (told if isinstance(told, str) else msgspec.json.encode(told).decode()).strip()[:_LONGEST]

"""The one error type of the engines; the gateway's table knows each code."""

from __future__ import annotations

from typing import Final, Literal

Code = Literal[
    "invalid_request",
    "context_length_exceeded",
    "engine_died",
    "engine_failed",
    "engine_stalled",
    "engine_busy",
    "engine_unreachable",
    "prediction_failed",
    "upstream_budget",
    "cannot_continue",
    "boot_failed",
    "no_room",
    "bad_model_source",
]


FAULTS: Final = frozenset(
    {
        "engine_died",
        "engine_failed",
        "engine_stalled",
        "engine_busy",
        "engine_unreachable",
        "upstream_budget",
        "bad_model_source",
    }
)
"""What is an engine's fault and not its caller's: another engine may do better."""


class EngineError(Exception):
    """An engine could not do what was asked.

    `code` is the machine's word for it, `message` a sentence for the caller, `parameter` the field at fault if one is;
    `retry_after_s` is when the engine wants to be asked again, where it says so.
    """

    def __init__(
        self, code: Code, message: str, *, parameter: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.parameter = parameter
        self.retry_after_s = retry_after_s

"""What a prediction waits for, in words. Pure."""

from __future__ import annotations

from typing import Final

from engines.replicate.wire import Prediction

_BOOTING_S: Final = 5.0
"""A prediction that has not begun after that waits for a boot, or in a long queue: the platform does not say which."""
_LONGEST: Final = 200


def stage(prediction: Prediction, seconds: float) -> str:
    """What goes on so many seconds after it was asked for."""
    if prediction.status == "starting":
        return "Replicate boots it" if seconds > _BOOTING_S else "waiting for Replicate to begin"
    lines = (prediction.logs or "").strip().splitlines()
    return f"Replicate: {lines[-1][:_LONGEST]}" if lines else "waiting for the first token"

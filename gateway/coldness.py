"""What becomes of a call whose model is not warm: it waits, another model answers it, or it is sent away."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from engines.base import Prompt, State
from engines.model import Model
from engines.outlook import soonest
from engines.pool import Pool
from gateway.capability import replaces
from gateway.errors import HearthError
from gateway.keys import Key
from gateway.metrics import Metrics


def send_away(pool: Pool, model: str, wait_s: float | None, metrics: Metrics) -> None:
    """Raise HearthError `model_cold` where a model is not warm, and likely will not be in the time its caller waits.

    It begins to boot all the same, so that coming back makes sense.
    """
    if wait_s is None:
        return
    outlook = pool.outlook(model)
    if outlook.state is State.WARM or outlook.assumed_s <= wait_s:
        return
    pool.warm(model)
    metrics.engines.sent_away(model)
    again_s = math.ceil(outlook.assumed_s)
    if outlook.ready_s is None:
        told = f"{model} is not warm. It boots now; how long that takes is not known yet: come back in {again_s} s."
    else:
        told = f"{model} is not warm. It boots now, and is likely warm in {again_s} s: come back then."
    raise HearthError("model_cold", told, retry_after_s=again_s)


class StandIns:
    """Who answers for whom: `fallbacks` names for a model the one that answers while it is not warm."""

    def __init__(self, pool: Pool, fallbacks: Mapping[str, str]) -> None:
        self._pool = pool
        self._fallbacks = fallbacks

    def of(self, model: Model, prompt: Prompt, key: Key) -> Model | None:
        """The model that answers for this one, which is not warm; None where that one may as well be waited for.

        It is one that the key may ask and that takes the prompt, the first fallback before the fallback's own; one
        that is not warm itself only where it likely will be sooner.
        """
        if model.name not in self._fallbacks:
            return None
        outlook = self._pool.outlook(model.name)
        if outlook.state is State.WARM:
            return None
        others = [
            other
            for other in self._chain(model.name)
            if key.may_ask(other.name) and replaces(other.name, other.traits, model.traits, prompt)
        ]
        at = soonest(outlook, [self._pool.outlook(other.name) for other in others])
        return None if at is None else others[at]

    def _chain(self, model: str) -> Iterator[Model]:
        # The settings see to it that no model stands in for itself.
        while (fallback := self._fallbacks.get(model)) is not None:
            model = fallback
            yield self._pool.models[model]

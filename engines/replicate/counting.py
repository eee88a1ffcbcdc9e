"""What all predictions of one prompt took, added up. Pure."""

from __future__ import annotations

import msgspec

from engines.base import Accepted, Prompt
from engines.replicate.wire import Metrics


class Counting:
    """The sums of one call of `generate`; a count that one prediction lacks is not known of them all."""

    def __init__(self, prompt: Prompt) -> None:
        self._per_text = max(1, prompt.choices // max(1, len(prompt.texts)))
        # Four bytes a token, as a rule.
        self.guess = Accepted(len(msgspec.json.encode(prompt.messages or prompt.texts)) // 4 + 1)
        """Before anything is known."""
        self._texts: dict[int, float | None] = {}
        self._seconds = 0.0

    def add(self, choice: int, metrics: Metrics | None, seen_s: float) -> None:
        """Add what the prediction of a choice took, which was seen at work for so many seconds."""
        told = metrics or Metrics()
        # A text is one prompt, however many answers it gets.
        self._texts[choice // self._per_text] = told.input_token_count
        self._seconds += seen_s if told.predict_time is None else told.predict_time

    @property
    def spent(self) -> Accepted:
        """The seconds that were added, while the tokens are a guess still."""
        return Accepted(self.guess.prompt_tokens, seconds=self._seconds)

    @property
    def counted(self) -> Accepted:
        """All that was added."""
        prompt_tokens = _sum(list(self._texts.values()))
        return self.spent if prompt_tokens is None else Accepted(round(prompt_tokens), seconds=self._seconds)


def _sum(figures: list[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if len(known) == len(figures) else None

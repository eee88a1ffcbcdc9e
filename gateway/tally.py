"""What one run has taken in and given out so far, and when."""

from __future__ import annotations

import math
from collections.abc import Callable

from gateway.events import Accepted, Delta, Timings, Usage


class Stopwatch:
    """For how long an engine computes for one run: as it tells, else by the `clock` of steady seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told_s = 0.0
        self._since: float | None = None
        """Since when it computes; None while it does not."""

    def took(self, accepted: Accepted) -> None:
        """The engine has said how it stands."""
        if accepted.seconds is not None:
            self._told_s, self._since = accepted.seconds, None
        elif self._since is None:
            self._since = self._clock()

    @property
    def seconds(self) -> float:
        """Until now."""
        return self._told_s + (0.0 if self._since is None else self._clock() - self._since)


class Tally:
    """One run's account. `began` is when it was called for, on the `clock` of steady seconds."""

    def __init__(self, choices: int, began: float, clock: Callable[[], float]) -> None:
        self.choices_left = choices
        self.prompt_tokens = self.cached_tokens = self.tokens = 0
        self.reason = "stop"
        """Why choice 0 ended."""
        self.started: float | None = None
        """When an engine took the prompt."""
        self.first_token: float | None = None
        """When it came; not a number where only the one who is gone knew it."""
        self.busy_s = 0.0
        """For how long an engine has worked for it, as far as is known here."""
        self._began = began
        self._clock = clock

    def took(self, accepted: Accepted) -> None:
        """An engine has said how long the prompt is."""
        # What is billed and counted never shrinks, whatever an engine says.
        self.prompt_tokens, self.cached_tokens = max(0, accepted.prompt_tokens), max(0, accepted.cached_tokens)

    def gave(self, delta: Delta, now: float) -> None:
        """A piece of the answer came."""
        if self.first_token is None:
            self.first_token = now
        self.tokens += len(delta.tokens)
        if delta.finish is not None:
            self.choices_left -= 1
            if delta.choice == 0:
                self.reason = delta.finish

    @property
    def prompt(self) -> tuple[int, int]:
        """How many tokens the prompt has, and how many of them were cached."""
        return self.prompt_tokens, self.cached_tokens

    @property
    def elapsed(self) -> float:
        """Seconds since it was called for."""
        return self._clock() - self._began

    @property
    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.tokens, self.cached_tokens)

    @property
    def timings(self) -> Timings:
        def since(moment: float | None) -> float | None:
            return None if moment is None or math.isnan(moment) else round(moment - self._began, 6)

        return Timings(since(self.started), since(self.first_token), round(self.elapsed, 6))

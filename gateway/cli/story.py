"""What there is to tell of a model, from the states and stages it goes through. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from engines.base import State


class Story:
    """One model's boots, as lines."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._state = State.COLD
        self._stages: list[tuple[str, float]] = []
        """The stages of this boot, and when each began."""

    def hear(self, state: State, stage: str, now: float, error: str = "") -> Iterator[str]:
        """The lines to write now that it is in this state and stage; `error` is what went wrong with it last."""
        before, self._state = self._state, state
        if state is State.BOOTING:
            if before is not State.BOOTING:
                self._stages.clear()
            if before is State.WARM:
                yield f"{self._name}: died: {error.rstrip('.')}; starting it again"
            if not self._stages or self._stages[-1][0] != stage:
                self._stages.append((stage, now))
                yield f"{self._name}: {stage}"
        elif state is State.WARM and before is not State.WARM:
            yield f"{self._name}: warm{self._took(now)}"
        elif state is State.BROKEN and before is not State.BROKEN:
            yield f"{self._name}: broken: {stage}"

    def status(self, now: float) -> str:
        """Where a boot stands, in a few words; empty when there is none."""
        if self._state is not State.BOOTING or not self._stages:
            return ""
        return f"{self._name}: {self._stages[-1][0]} ({now - self._stages[0][1]:.0f} s)"

    def _took(self, now: float) -> str:
        if not self._stages:
            return ""
        ends = [began for _, began in self._stages[1:]] + [now]
        spans = [(stage, end - began) for (stage, began), end in zip(self._stages, ends, strict=True)]
        # What took no time worth telling is left out.
        long = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in spans if seconds >= 0.05)
        return f" in {now - self._stages[0][1]:.1f} s" + (f" ({long})" if long else "")

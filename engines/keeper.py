"""What is to be done about an engine's warmth, and when next: decided from what is known of it. Pure."""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from engines.base import State
from engines.hours import Hours
from engines.signs import past

DEAD_AFTER: Final = 3
"""Heartbeats in a row that fail before an engine is taken for dead, and booted anew."""
_UNKNOWN_BOOT_S: Final = 120.0
_MARGIN: Final = 1.25
_LEAST_AHEAD_S: Final = 30.0
_FIRST_PAUSE_S: Final = 5.0
_LONG_PAUSE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 300.0
_BOOTS: Final = 10.0
"""A pause need not be longer than so many boots: what is quickly tried may be tried often."""

Act = Literal["boot", "beat", "cool", "revive"]


class Plan(NamedTuple):
    """How a model is to be kept."""

    hours: Hours | None = None
    """When it is to be warm; None leaves that to its callers."""
    beat_s: float = 30.0
    """Within its hours: how long it may be without traffic before it has to show that it is there."""
    idle_s: float | None = None
    """Outside its hours: how long it may be unasked before it goes cold; None keeps it."""


class Facts(NamedTuple):
    """What is known of an engine, from all replicas. Times are unix seconds, 0 for never."""

    state: State
    since: float
    heard_at: float = 0.0
    """When it last gave a caller anything."""
    asked_at: float = 0.0
    """When a caller last asked it for anything, or was given something."""
    beat_at: float = 0.0
    """When it last passed a heartbeat, or was found warm."""
    elsewhere: bool = False
    """Whether it is no process of ours, and may be back by itself."""
    running: bool = False
    """Whether a caller waits for it."""
    boot_s: float | None = None
    """How long its boots take."""
    cooled_at: float = 0.0
    """When somebody had it stopped, who has not been asked for it since; 0 for never."""
    failures: int = 0
    """Heartbeats and boots that failed in a row."""
    missed: int = 0
    """Of these, the heartbeats since it is warm."""
    failed_at: float = 0.0

    def by(self, now: float) -> Facts:
        """These, where nothing is yet to come: clocks differ, and are set."""
        return self._replace(
            since=past(self.since, now),
            heard_at=past(self.heard_at, now),
            asked_at=past(self.asked_at, now),
            beat_at=past(self.beat_at, now),
            failed_at=past(self.failed_at, now),
            cooled_at=past(self.cooled_at, now),
        )


class Step(NamedTuple):
    """What is to be done now, or when that is to be asked again."""

    act: Act | None
    at: float
    """When: now, if there is something to be done; infinity, where only a caller or the engine changes anything."""
    why: str


def decide(now: float, plan: Plan, facts: Facts) -> Step:
    """The next step for an engine."""
    facts = facts.by(now)
    if facts.state in (State.BOOTING, State.DRAINING):
        return Step(None, math.inf, "")
    opens_at = _opens_at(now, plan, facts.boot_s)
    if facts.state is State.WARM:
        return _warm(now, plan, facts, opens_at)
    back = facts.state is State.BROKEN and facts.elsewhere and not facts.cooled_at
    if opens_at is None and back and plan.idle_s is None:
        # It may be back by itself, and while others answer no request would ever try it.
        opens_at = now
    if opens_at is None:
        return Step(None, math.inf, "boots with the next request")
    if facts.cooled_at and (rests := _rests_until(plan, facts)) > now:
        hours = "" if rests == math.inf else "for its next hours, or "
        return Step(None, rests, f"stopped by hand: boots {hours}with the next request")
    tries_at = facts.failed_at + pause_s(facts.failures, facts.boot_s) if facts.failures else 0.0
    due = max(opens_at, tries_at)
    if due <= now:
        return Step("boot", now, "tries again" if facts.failures else "boots for its active hours")
    return Step(None, due, "tries again" if due == tries_at else "boots for its active hours")


def pause_s(failures: int, boot_s: float | None = None) -> float:
    """How long to wait after so many failures in a row, where a boot takes `boot_s`."""
    longest = _LONGEST_PAUSE_S if boot_s is None else min(_LONGEST_PAUSE_S, max(_LONG_PAUSE_S, _BOOTS * boot_s))
    return min(longest, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10)) if failures > 0 else 0.0


def ahead_s(boot_s: float | None) -> float:
    """How long before its hours an engine is booted, so that it is warm when they begin."""
    return max(_LEAST_AHEAD_S, _MARGIN * (_UNKNOWN_BOOT_S if boot_s is None else boot_s))


def is_kept(now: float, plan: Plan, boot_s: float | None) -> bool:
    """Whether an engine is to be warm: in its hours, and from when on it boots for them."""
    opens_at = _opens_at(now, plan, boot_s)
    return opens_at is not None and opens_at <= now


def _opens_at(now: float, plan: Plan, boot_s: float | None) -> float | None:
    """From when on it is to be kept warm, if it is not already: its hours, less a boot."""
    if plan.hours is None:
        return None
    if plan.hours.at(now):
        return now
    change = plan.hours.next_change(now)
    return None if change is None else max(now, change.at - ahead_s(boot_s))


def _rests_until(plan: Plan, facts: Facts) -> float:
    """What somebody has stopped stays cold: when it is kept again. 0 where its hours had not come, nor were near."""
    cooled_at = facts.cooled_at
    opens_at = _opens_at(cooled_at, plan, facts.boot_s)
    if plan.hours is None or opens_at is None or opens_at > cooled_at:
        return 0.0
    at = cooled_at
    # Out of the hours in which it was stopped, or which it was about to be warm for, and to the next ones.
    for kind in ("closes", "opens") if plan.hours.at(at) else ("opens", "closes", "opens"):
        change = plan.hours.next_change(at)
        if change is None:
            return math.inf
        assert change.kind == kind
        at = change.at
    return at - ahead_s(facts.boot_s)


def _warm(now: float, plan: Plan, facts: Facts, opens_at: float | None) -> Step:
    if opens_at is not None and opens_at <= now:
        return _kept(now, plan, facts)
    if plan.idle_s is None:
        return Step(None, math.inf if opens_at is None else opens_at, "stays warm")
    if facts.running:
        return Step(None, math.inf if opens_at is None else opens_at, "goes cold when nobody asks")
    due = max(facts.since, facts.asked_at) + plan.idle_s
    # A rest that is shorter than the boot after it is none.
    if opens_at is not None and opens_at <= max(due, now + ahead_s(facts.boot_s)):
        return Step(None, opens_at, "stays warm for its active hours")
    if due <= now:
        return Step("cool", now, f"goes cold: unasked for {plan.idle_s:g} s")
    return Step(None, due, "goes cold when nobody asks")


def _kept(now: float, plan: Plan, facts: Facts) -> Step:
    if facts.missed >= DEAD_AFTER:
        due = facts.failed_at + pause_s(facts.failures - DEAD_AFTER)
        return Step("revive" if due <= now else None, max(due, now), "boots again: its heartbeat failed")
    due = max(facts.since, facts.heard_at, facts.beat_at) + plan.beat_s
    if facts.missed:
        due = facts.failed_at + min(plan.beat_s, pause_s(facts.missed))
    if due <= now:
        return Step("beat", now, "heartbeat")
    return Step(None, due, "heartbeat, when nobody asks")

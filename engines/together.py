"""What several replicas know of one engine, as one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engines.base import State
from engines.board import Sighting
from engines.states import BEST


def together(told: Mapping[str, Sighting]) -> Sighting:
    """It is as warm as any replica finds it, and since the first found it so; what each counts is added up.

    Where it broke since somebody last stopped it, it is not cold for those who only have not tried, or have left it.
    Replicas that only join an engine which is up count that as a boot too, and a short one: the most and the longest
    tell of the engine.
    """
    all_told = list(told.values())
    stopped_at = max(each.stopped_at for each in all_told)
    broke = any(each.state is State.BROKEN and each.since >= stopped_at for each in all_told)
    counted = [each for each in all_told if not (broke and each.state is State.COLD)]
    best = min(counted, key=lambda each: (BEST.index(each.state), each.since))
    alarms = sorted((each.failed_at, each.alarm) for each in all_told if each.alarm is not None)
    next_at, next_why = min(((each.next_at, each.next_why) for each in all_told if each.next_at), default=(None, ""))
    return msgspec.structs.replace(
        best,
        heard_at=max(each.heard_at for each in all_told),
        asked_at=max(each.asked_at for each in all_told),
        beat_at=max(each.beat_at for each in all_told),
        running=sum(each.running for each in all_told),
        outstanding=sum(each.outstanding for each in all_told),
        tokens_per_s=sum(each.tokens_per_s for each in all_told),
        boots=max(each.boots for each in all_told),
        boot_s=max((each.boot_s for each in all_told if each.boot_s is not None), default=None),
        boot_estimate_s=max(
            (each.boot_estimate_s for each in all_told if each.boot_estimate_s is not None), default=None
        ),
        stopped_at=stopped_at,
        beats=sum(each.beats for each in all_told),
        beat_s=sum(each.beat_s for each in all_told),
        alarm=alarms[-1][1] if alarms else None,
        next_at=next_at,
        next_why=next_why or best.next_why,
        cooled_at=max(each.cooled_at for each in all_told),
        waiting=sum(each.waiting for each in all_told),
    )

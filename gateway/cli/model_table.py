"""What `/admin/models` says, as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_TITLES: Final = ("model", "state", "since", "running", "waiting", "owed", "tok/s", "boot", "beats", "today", "next")
_NUMBERS: Final = frozenset({"since", "running", "waiting", "owed", "tok/s", "boot", "beats", "today"})
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def table(told: Mapping[str, Any]) -> list[str]:
    """A line for each model, one for each of several engines, and under it what needs more words."""
    now, models = told["now"], told["data"]
    if not models:
        return ["no models"]
    rows: list[tuple[Sequence[str], Sequence[str]]] = [(_TITLES, ())]
    for model in models:
        engines = model["engines"]
        rows.append((_row(model, engines, now), _remarks(model, engines, now)))
        if len(engines) > 1:
            rows += [(_row({**engine, "id": f"  {engine['id']}"}, [engine], now), ()) for engine in engines]
    widths = [max(len(cells[column]) for cells, _ in rows) for column in range(len(_TITLES))]
    return [line for cells, remarks in rows for line in (_line(cells, widths), *remarks)]


def span(seconds: float) -> str:
    """A time in one unit: 42 s, 3 min, 5 h, 2 d."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _row(told: Mapping[str, Any], engines: Sequence[Mapping[str, Any]], now: float) -> tuple[str, ...]:
    estimates = [each["boots"]["estimated_seconds"] for each in engines]
    known = [seconds for seconds in estimates if seconds is not None]
    beats = sum(each["heartbeats"]["count"] for each in engines)
    return (
        told["id"],
        told["state"],
        span(now - told["since"]),
        str(told["running"]),
        str(told.get("waiting", "")),
        str(told["outstanding_tokens"]),
        f"{told['tokens_per_second']:.1f}",
        f"{max(known):.1f} s" if known else "",
        str(beats),
        told.get("cost_today", ""),
        _next(told, now),
    )


def _next(told: Mapping[str, Any], now: float) -> str:
    coming, ready_s = told["next"], told["ready_seconds"]
    if coming is not None:
        when = "" if coming["at"] is None else f"in {span(coming['at'] - now)}: "
        return f"{when}{coming['why']}"
    if told["state"] == "warm":
        return ""
    return f"{told['stage']} (about {span(ready_s)})" if ready_s else str(told["stage"])


def _remarks(model: Mapping[str, Any], engines: Sequence[Mapping[str, Any]], now: float) -> list[str]:
    remarks = []
    if (hours := model["hours"]) is not None:
        change = hours["change"]
        then = "" if change is None else f", {change['kind']} in {span(change['at'] - now)}"
        remarks.append(f"hours: {hours['why']}: {'open' if hours['open'] else 'closed'}{then}")
    for engine in engines:
        alarm = engine["heartbeats"]["alarm"]
        if alarm is not None:
            what = "no heartbeat" if engine["state"] == "warm" else "it does not boot"
            remarks.append(f"ALARM {engine['id']}: {what}: {alarm}")
        elif engine["state"] == "broken":
            remarks.append(f"BROKEN {engine['id']}: {engine['stage']}")
        if engine["breaker"] != "let through":
            remarks.append(f"ALARM {engine['id']}: it failed again and again: calls are {_kept(engine['breaker'])}")
    return [f"  {remark}" for remark in remarks]


def _kept(breaker: str) -> str:
    return "kept away" if breaker == "kept away" else "kept away but for one, to probe"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.rjust(width) if title in _NUMBERS else cell.ljust(width)
        for title, cell, width in zip(_TITLES, cells, widths, strict=True)
    ).rstrip()

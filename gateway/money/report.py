"""Usage as people ask for it: sums by day, key, model or outcome, as rows and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

from gateway.money.base import CapLine, Line, Use
from gateway.money.guidance import UNCAPPED, advice, cut, percentile, top
from gateway.money.prices import written

By = Literal["day", "key", "model", "outcome"]
BY: Final[tuple[By, ...]] = get_args(By)

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of one."""


def rows(lines: Iterable[Line], by: Sequence[By], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each group, in order. `names` are those of keys by their ids; amounts are decimals, as text.

    `calls` are all that were answered or tried, and `hits` and `joins` those of them that needed no run.
    """
    sums: dict[tuple[str, ...], tuple[Use, int, int]] = {}
    for line in lines:
        group = tuple(str(getattr(line, column)) for column in by)
        use, hits, joins = sums.get(group, (Use(), 0, 0))
        hits += line.use.calls * (line.outcome == "hit")
        joins += line.use.calls * (line.outcome == "join")
        sums[group] = (use.plus(line.use), hits, joins)
    return [_row(dict(zip(by, group, strict=True)), names, *sums[group]) for group in sorted(sums)]


def cap_rows(lines: Iterable[CapLine]) -> list[dict[str, Any]]:
    """One row for each key, model and max_tokens that was asked: how long its answers were, and what to say of it."""
    of: dict[tuple[str, str], list[CapLine]] = {}
    for line in lines:
        of.setdefault((line.key, line.model), []).append(line)
    return [row for whose in sorted(of) for row in _cap_rows(*whose, of[whose])]


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under their names, with no cell that a spreadsheet would run."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _row(group: dict[str, str], names: Mapping[str, str], use: Use, hits: int, joins: int) -> dict[str, Any]:
    named = {"name": names.get(group["key"], "")} if "key" in group else {}
    return {
        **group,
        **named,
        "calls": use.calls,
        "hits": hits,
        "joins": joins,
        "prompt_tokens": use.prompt_tokens,
        "cached_tokens": use.cached_tokens,
        "completion_tokens": use.completion_tokens,
        "engine_seconds": use.milliseconds / 1000,
        "cost": written(use.cost),
        "unpaid": written(use.unpaid),
        "saved": written(use.saved),
        "saved_seconds": use.saved_milliseconds / 1000,
    }


def _cap_rows(key: str, model: str, lines: Sequence[CapLine]) -> list[dict[str, Any]]:
    caps = {line.cap: line.runs for line in lines}
    made = []
    for asked in sorted({cap.asked for cap in caps}):
        alike = {cap: runs for cap, runs in caps.items() if cap.asked == asked}
        made.append(
            {
                "key": key,
                "model": model,
                "max_tokens": None if asked == UNCAPPED else top(asked),
                "runs": sum(alike.values()),
                "ended_by_it": round(cut(alike), 3),
                "p50_used": percentile(alike, 0.5),
                "p99_used": percentile(alike, 0.99),
                "advice": None if asked == UNCAPPED else advice(caps, top(asked)),
            }
        )
    return made


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

"""What a connection costs, as a table. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from loadtest.idle.memory import Memory
from loadtest.idle.run import SIDES, Results
from loadtest.report import table


def text(results: Results) -> str:
    """KB for each connection, and how much of it is Hearth's own."""
    *_, most = levels = results.plan.levels
    between = f"{levels[0] if len(levels) > 1 else 0}..{most}"
    head = ["connection", "server", f"USS {between}", f"USS 0..{most}", f"PSS {between}", "kernel, both ends"]
    rows = [
        [
            kind,
            side,
            _spread(turn.each().uss for turn in results.turns[kind, side]),
            _spread(turn.each_of_all().uss for turn in results.turns[kind, side]),
            _spread(turn.each().pss for turn in results.turns[kind, side]),
            _spread(turn.each().kernel for turn in results.turns[kind, side]),
        ]
        for kind in results.plan.kinds
        for side in SIDES
    ]
    more = [
        [kind, *(_spread(getattr(each, name) for each in results.more(kind)) for name in Memory._fields[:2])]
        for kind in results.plan.kinds
    ]
    return "\n\n".join(
        [
            "KB for each connection that does nothing, median (least..most):",
            table(head, rows),
            "KB more than uvicorn's own of the same round:",
            table(["connection", "USS", "PSS"], more),
        ]
    )


def _spread(values: Iterable[float]) -> str:
    ranked = sorted(values)
    return f"{statistics.median(ranked):.1f} ({ranked[0]:.1f}..{ranked[-1]:.1f})"

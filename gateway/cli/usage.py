"""hearth usage: who used what, by day, key, model or outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.cli.caller import add_options, reach
from gateway.cli.parser import Parser
from gateway.money.report import as_csv

_ALWAYS: Final = frozenset(
    {"day", "key", "model", "outcome", "calls", "prompt_tokens", "completion_tokens", "engine_seconds", "cost"}
    | {"limit", "spent", "left"}
)
"""Columns that are shown though nothing is in them."""
_AMOUNTS: Final = frozenset({"cost", "unpaid", "saved", "limit", "spent", "reserved", "left"})


def main(words: Sequence[str]) -> int:
    """Print one line for each group."""
    parser = Parser(
        prog="hearth usage",
        description="Who used what of a running server, and what it cost; an admin key where keys are configured.",
    )
    add_options(parser)
    parser.add_argument("--by", metavar="WHAT", help="Some of day,key,model,outcome. (default: day,key,model)")
    parser.add_argument("--since", metavar="DAY", help="2026-01-31, or 7d for so many days ago. (default: 30d)")
    parser.add_argument("--until", metavar="DAY", help="The last day. (default: today)")
    parser.add_argument("--caps", action="store_true", default=False, help="How answers stand to their max_tokens.")
    parser.add_argument("--budgets", action="store_true", default=False, help="What keys have left of their budgets.")
    parser.add_argument("--csv", action="store_true", default=False, help="Print CSV.")
    parser.add_argument("--json", action="store_true", default=False, help="Print JSON.")
    given = parser.parse_args(words)
    asked = {name: getattr(given, name) for name in ("by", "since", "until") if hasattr(given, name)}
    if given.csv and (given.caps or given.budgets or given.json):
        parser.error("--csv stands by itself")
    if given.caps and given.budgets:
        parser.error("--caps and --budgets are asked for one by one")
    if given.caps and asked:
        parser.error("--caps is about this month and the last one, and takes neither --by, --since nor --until")
    if given.budgets and asked:
        parser.error("--budgets is about now, and takes neither --by, --since nor --until")
    what = "caps" if given.caps else "budgets" if given.budgets else "usage"
    told = reach(given.url, given.key).ask("GET", f"/admin/{what}", asked)
    if given.csv:
        print(as_csv(told["data"]), end="")
        return 0
    empty = "no key has a budget" if given.budgets else "nothing was used"
    for line in [json.dumps(told, indent=2)] if given.json else table(told["data"]) or [empty]:
        print(line)
    return 0


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows as lines under their titles, none if there are none; a column with nothing in it is left out."""
    if not rows:
        return []
    columns = [name for name in rows[0] if name in _ALWAYS or any(row[name] not in (0, "0", "", None) for row in rows)]
    cells = [[name.replace("_", " ") for name in columns], *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    numbers = [not isinstance(rows[0][name], str) or name in _AMOUNTS for name in columns]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        ).rstrip()
        for line in cells
    ]


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)

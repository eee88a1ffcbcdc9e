"""hearth costs: what was spent and saved, and whether a machine of one's own would be cheaper."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli.caller import add_options, reach
from gateway.cli.parser import Parser


def main(words: Sequence[str]) -> int:
    """Print it in words."""
    parser = Parser(
        prog="hearth costs",
        description="What a running server spent and saved; an admin key where keys are configured.",
    )
    add_options(parser)
    parser.add_argument("--since", metavar="DAY", help="2026-01-31, or 7d for so many days ago. (default: 30d)")
    parser.add_argument("--until", metavar="DAY", help="The last day. (default: today)")
    parser.add_argument(
        "--own-gpu-per-hour", metavar="PRICE", help="What an hour of a machine of your own costs: says when it pays."
    )
    parser.add_argument("--json", action="store_true", default=False, help="Print JSON.")
    given = parser.parse_args(words)
    asked = {name: getattr(given, name) for name in ("since", "until", "own_gpu_per_hour") if hasattr(given, name)}
    told = reach(given.url, given.key).ask("GET", "/admin/costs", asked)
    for line in [json.dumps(told, indent=2)] if given.json else story(told):
        print(line)
    return 0


def story(told: Mapping[str, Any]) -> list[str]:
    """What `/admin/costs` says, as lines; amounts are in the currency of the prices."""
    days = _count(told["days"], "day")
    lines = [
        f"{told['since']} to {told['until']}, {days} from the first call to the last",
        f"spent    {told['cost']} in {told['runs']} runs, {told['engine_seconds']:.1f} s of compute",
    ]
    if told["unpaid"] != "0":
        lines.append(f"         of that {told['unpaid']} that no budget had room for")
    for how, words in (("hit", "answers given again"), ("join", "calls that shared a run")):
        spared = told["cache"][how]
        if spared["calls"]:
            lines.append(
                f"saved    {spared['saved']} by {spared['calls']} {words}, {spared['saved_seconds']:.1f} s of compute"
            )
    return [*lines, *_kept(told["keeper"]), *(_own(told["own"]) if "own" in told else [])]


def _kept(kept: Mapping[str, Any]) -> list[str]:
    lines = []
    if kept["idle_seconds"] or kept["heartbeats"]:
        beats = (
            f"{_count(kept['heartbeats'], 'heartbeat')} for {kept['heartbeat_cost']}, {kept['heartbeat_seconds']:.1f} s"
        )
        lines.append(f"kept     {kept['idle_cost']} for {kept['idle_seconds']:.1f} s warm and unasked, with {beats}")
    if kept["spared_boots"]:
        boots = _count(kept["spared_boots"], "boot")
        lines.append(f"         spared {boots}, {kept['spared_seconds']:.1f} s of waiting")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _own(own: Mapping[str, Any] | None) -> list[str]:
    if own is None:
        return ["own GPU  nothing to compare: no run had a cost; see [hardware] and price_per_second in hearth.toml"]
    lines = [
        f"own GPU  {own['per_hour']:g} an hour is {own['per_day']:.2f} a day, busy or not; "
        f"this traffic costs {own['cost_per_day']:.2f} a day, so your own would be "
        + ("cheaper" if own["pays"] else "dearer")
    ]
    if own["busy_needed"] is not None:
        never = own["busy_needed"] > 1
        lines.append(
            f"         engines worked {own['busy']:.2%} of the time; "
            + ("even working always it would not pay" if never else f"it pays from {own['busy_needed']:.2%} on")
        )
    return lines

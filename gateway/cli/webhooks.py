"""hearth webhooks: who did not hear of a prediction's end, why, and telling them once more."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gateway.cli.caller import Caller, add_options, reach
from gateway.cli.parser import Parser
from gateway.cli.terminal import Trouble

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPILOG: Final = """
examples:
  hearth webhooks list --since 1h
  hearth webhooks show ufawqhfynnddngldkgtslldrkq
  hearth webhooks replay ufawqhfynnddngldkgtslldrkq
  hearth webhooks replay --failed --since 1h
"""


def main(words: Sequence[str]) -> int:
    """List, show or replay; 1 when somebody still did not hear."""
    given = _parser().parse_args(words)
    if given.what == "replay" and (given.id is None) != given.failed:
        raise Trouble("Say which prediction's webhook to call again, or --failed for all that did not hear.")
    caller = reach(given.url, given.key)
    if given.what == "list":
        return _list(caller, given)
    if given.what == "show":
        return _show(caller, given)
    return _replay(caller, given)


def _list(caller: Caller, given: argparse.Namespace) -> int:
    failed = _failed(caller, given.since)
    if given.json:
        print(json.dumps(failed, indent=2))
    for webhook in [] if given.json else failed:
        print(f"{webhook['id']}  {webhook['status']:9}  {webhook['address']}  {_last(webhook)}")
    if not failed and not given.json:
        print("every webhook heard of its prediction's end")
    return 0


def _show(caller: Caller, given: argparse.Namespace) -> int:
    webhook = caller.ask("GET", f"/admin/webhooks/{given.id}")
    if given.json:
        print(json.dumps(webhook, indent=2))
        return 0
    print(f"{webhook['address']}  for {', '.join(webhook['events'])}")
    for each in webhook["tries"]:
        at = datetime.fromtimestamp(each["at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        print(f"{at}  {each['event']:9}  try {each['attempt']:2}  {each['seconds']:5.2f} s  {_said(each)}")
    return 0


def _replay(caller: Caller, given: argparse.Namespace) -> int:
    ids = [webhook["id"] for webhook in _failed(caller, given.since)] if given.failed else [given.id]
    tries = {id: caller.ask("POST", f"/admin/webhooks/{id}/replay") for id in ids}
    if given.json:
        print(json.dumps(tries, indent=2))
    for id, each in {} if given.json else tries.items():
        print(f"{id}  {_said(each)}")
    if not tries and not given.json:
        print("every webhook heard of its prediction's end")
    return 0 if all(each["arrived"] for each in tries.values()) else 1


def _failed(caller: Caller, since: int) -> list[dict[str, Any]]:
    return list(caller.ask("GET", "/admin/webhooks", {"since": str(since)})["data"])


def _last(webhook: dict[str, Any]) -> str:
    ends = [each for each in webhook["tries"] if each["event"] == "completed"]
    tries = "1 try" if len(ends) == 1 else f"{len(ends)} tries"
    return f"{tries}; {_said(ends[-1])}" if ends else "not called yet"


def _said(each: dict[str, Any]) -> str:
    return each["error"] or f"{'heard' if each['arrived'] else 'not heard'}, status {each['status']}"


def _parser() -> Parser:
    made = Parser(
        prog="hearth webhooks",
        description="Who did not hear of a prediction's end; an admin key where keys are configured.",
        epilog=_EPILOG,
    )
    verbs = made.add_subparsers(dest="what", metavar="list | show | replay", required=True, parser_class=_Verb)
    failed = verbs.add_parser("list", help="Those whose end was never heard, the newest first.")
    show = verbs.add_parser("show", help="Every try to tell of one prediction.")
    show.add_argument("id", metavar="ID", help="The prediction's.")
    replay = verbs.add_parser("replay", help="Tell of the end once more, under the same webhook-id.")
    replay.add_argument("id", metavar="ID", nargs="?", default=None, help="The prediction's.")
    replay.add_argument("--failed", action="store_true", default=False, help="Of all whose end was never heard.")
    for verb in (failed, replay):
        verb.add_argument("--since", type=_since, default=86_400, metavar="AGO", help="90m, 12h, 7d. (default: 1d)")
    return made


class _Verb(Parser):
    """What all of them take."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        add_options(self)
        self.add_argument("--json", action="store_true", default=False, help="Print JSON.")


def _since(written: str) -> int:
    match = re.fullmatch(r"(\d{1,7})([smhd])", written, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError("as 90m, 12h or 7d")
    return int(match[1]) * _UNITS[match[2]]

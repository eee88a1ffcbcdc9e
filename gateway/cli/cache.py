"""hearth cache: what a running server has kept to be given again, and letting go of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.cli.caller import reach
from gateway.cli.parser import Parser
from gateway.cli.terminal import Trouble

_EPILOG = """
examples:
  hearth cache show
  hearth cache purge --model campfire
  hearth cache purge --fingerprint 2b68ce51...     (the answer's header x-cache-key)
"""


def main(words: Sequence[str]) -> int:
    """Show what is kept, or let go of it."""
    given = _parser().parse_args(words)
    by = {name: value for name in ("model", "namespace", "key", "fingerprint") if (value := getattr(given, name, None))}
    caller = reach(given.url)
    if given.what == "show":
        if by or given.all:
            raise Trouble("`hearth cache show` shows all of it; leave the rest out.")
        told = caller.ask("GET", "/admin/cache")
        _say(told, f"answers: {told['entries']}, {told['bytes'] / 1e3:,.1f} kB", as_json=given.json)
    else:
        if not by and not given.all:
            raise Trouble("Say what to let go of: --model, --namespace, --key, --fingerprint, or --all.")
        told = caller.ask("DELETE", "/admin/cache", {"all": "true"} if given.all else by)
        _say(told, f"answers let go of: {told['purged']}", as_json=given.json)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="hearth cache", description="What a running server has kept to be given again.", epilog=_EPILOG
    )
    parser.add_argument("what", choices=("show", "purge"), help="show how much is kept, or let go of some of it")
    parser.add_argument("--url", default=None, help="The server. (default: where `hearth serve` would listen)")
    parser.add_argument("--model", help="Answers of this model.")
    parser.add_argument("--namespace", help="Answers that belong to this namespace.")
    parser.add_argument("--key", help="Answers that the key of this id had made.")
    parser.add_argument("--fingerprint", help="The answer with this name.")
    parser.add_argument("--all", action="store_true", default=False, help="All of them.")
    parser.add_argument("--json", action="store_true", default=False, help="Print what the server says as JSON.")
    return parser


def _say(told: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    print(json.dumps(told) if as_json else sentence)

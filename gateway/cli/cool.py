"""hearth cool: have a model stopped."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cli.caller import add_options, reach
from gateway.cli.ordering import order
from gateway.cli.parser import Parser


def main(words: Sequence[str]) -> int:
    """Stop every engine of a model, and wait until it is cold."""
    parser = Parser(
        prog="hearth cool",
        description="Stop every engine of a model, on all replicas, and wait until they are gone; with an admin key.",
        epilog="\nIt stays cold until somebody asks it, until `hearth warm`, or until its next active hours.\n",
    )
    add_options(parser)
    parser.add_argument("model", metavar="MODEL", help="its name")
    parser.add_argument("--drain-s", metavar="SECONDS", help="How long running answers may go on. (default: 30)")
    parser.add_argument("--no-wait", action="store_true", default=False, help="Return at once.")
    given = parser.parse_args(words)
    query = {"drain_s": given.drain_s} if hasattr(given, "drain_s") else {}
    return order(reach(given.url, given.key), given.model, "cool", query, waits=not given.no_wait)

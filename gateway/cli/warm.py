"""hearth warm: have a model booted."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cli.caller import add_options, reach
from gateway.cli.ordering import order
from gateway.cli.parser import Parser


def main(words: Sequence[str]) -> int:
    """Boot every engine of a model, and wait until it is warm."""
    parser = Parser(
        prog="hearth warm",
        description="Boot every engine of a model, on all replicas, and wait until they are warm; with an admin key.",
        epilog="\nOutside its active hours it goes cold again when nobody asks (idle_seconds).\n",
    )
    add_options(parser)
    parser.add_argument("model", metavar="MODEL", help="its name")
    parser.add_argument("--no-wait", action="store_true", default=False, help="Return at once.")
    given = parser.parse_args(words)
    return order(reach(given.url, given.key), given.model, "warm", {}, waits=not given.no_wait)

"""The command line: python -m loadtest requests."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.requests.results import Plan
from loadtest.requests.run import requests
from loadtest.telling import add_outlets, folder, say, tell


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("requests", help="plain requests a second for a core, at an engine that is instant")
    one.set_defaults(do=_requests)
    one.add_argument("--streams", type=int, default=32, help="asked at a time")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--seconds", type=float, default=3.0, help="of one turn; there are four or five in a round")
    one.add_argument("--against", type=_names, default=(), metavar="NAME,...", help="peers, as in litellm,starlette")
    one.add_argument("--peers", type=Path, default=Path(), metavar="FOLDER", help="where `peers setup` put them")
    add_outlets(one)


def _requests(arguments: argparse.Namespace) -> int:
    peers = arguments.peers.resolve()
    plan = Plan(arguments.streams, arguments.rounds, arguments.seconds, arguments.against, peers)
    return tell(requests(plan, folder(arguments), say), arguments)


def _names(text: str) -> list[str]:
    return text.split(",")

"""The command line: `hearth COMMAND`. Each command is a file in gateway/cli."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from gateway.cli.parser import Parser
from gateway.cli.terminal import Trouble
from gateway.settings import SettingsError
from gateway.suggest import nearest

COMMANDS: Final = {
    "serve": "run the server",
    "chat": "talk to a model of a running server",
    "models": "the models of a running server, and how warm they are",
    "warm": "have a model booted",
    "cool": "have a model stopped",
    "push": "make a Cog folder a version of a model, while the server runs",
    "keys": "who may ask: create, list and revoke keys",
    "cache": "what it has kept to be given again, and letting go of it",
    "usage": "who used what, and what it cost",
    "costs": "what was spent and saved, and when a GPU of your own would be cheaper",
    "webhooks": "who did not hear of a prediction's end, and telling them once more",
    "loadtest": "load on servers of this machine, and what it costs them",
    "doctor": "what is installed, what runs, what is missing",
}

_SIGPIPE: Final = 128 + 13
"""What a shell tells of a program that such a reader has ended."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if words is None else words)
    parser = Parser(
        prog="hearth",
        description="A self-hosted streaming LLM gateway.",
        epilog="commands:\n"
        + "\n".join(f"  {name:8} {does}" for name, does in COMMANDS.items())
        + "\n\n`hearth COMMAND --help` says more.",
    )
    parser.add_argument("--version", action="version", version=f"hearth {version('hearth-gateway')}")
    parser.add_argument("command", metavar="COMMAND", help="one of those below")
    command = parser.parse_args(given[:1] or ["--help"]).command
    if command not in COMMANDS:
        parser.error(f"there is no command {command!r}{nearest(command, COMMANDS)}")
    try:
        # A command imports what it needs; the others need not wait for it.
        return int(import_module(f"gateway.cli.{command}").main(given[1:]))
    except (SettingsError, Trouble) as error:
        for line in str(error).splitlines():
            print(f"hearth {command}: {line}", file=sys.stderr)
        return error.status if isinstance(error, Trouble) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read what is written here has seen enough (`| head`). What is not written yet goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE


if __name__ == "__main__":
    sys.exit(main())

"""argparse in this house's voice: short errors with a guess, help that keeps its lines."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from gateway.suggest import nearest


class Parser(argparse.ArgumentParser):
    """Options are written out in full, and an error is one sentence."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=34, width=110),
            **options,
        )

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; an unknown option is answered with the one that was likely meant."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            self.error(f"there is no {word!r}{nearest(word, self._option_string_actions)}")
        return found

    def error(self, message: str) -> NoReturn:
        """End with the message and status 2; where a value is missing, it is that option's own help."""
        option, _, told = message.removeprefix("argument ").partition(": ")
        if told == "expected one argument" and option in self._option_string_actions:
            action = self._option_string_actions[option]
            message = f"{option} wants {action.metavar or 'a value'}: {str(action.help or told).rstrip('.')}"
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` says what there is.\n")

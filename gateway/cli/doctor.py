"""hearth doctor: what is installed, what runs, what is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.cli import checks, keys_check, redis_check
from gateway.cli.checks import Finding
from gateway.cli.parser import Parser
from gateway.cli.terminal import Screen
from gateway.settings import Settings, SettingsError, load

_COLORS: Final = {"ok": 32, "warn": 33, "fail": 31}


def main(words: Sequence[str]) -> int:
    """Print every finding; 1 when `hearth serve` would fail, else 0."""
    parser = Parser(
        prog="hearth doctor",
        description="What is installed, what runs, what is missing. Ends with 1 when `hearth serve` would fail.",
    )
    parser.add_argument("--config", type=Path, default=None, metavar="FILE", help="A file of settings to look at.")
    parser.add_argument("--json", action="store_true", default=False, help="Print the findings as JSON.")
    given = parser.parse_args(words)
    found = examine(given.config)
    healthy = all(finding.state != "fail" for finding in found)
    if given.json:
        print(json.dumps({"healthy": healthy, "findings": [finding._asdict() for finding in found]}, indent=2))
    else:
        _print(found)
    return 0 if healthy else 1


def examine(config: Path | None) -> list[Finding]:
    """Every finding, the foundations first."""
    try:
        settings = load({}, config)
        read = Finding("ok", "settings", "all as they should be")
    except SettingsError as error:
        settings = Settings.model_construct()
        read = Finding("fail", "settings", str(error), "Mend that one; docs/settings.md says what each takes.")
    return [
        checks.python(),
        checks.packages(),
        checks.vllm(settings.models),
        checks.bytecode(),
        checks.gpu(),
        checks.memory(),
        read,
        *checks.strange_variables(),
        *checks.models(settings),
        redis_check.redis(settings),
        keys_check.keys(settings),
        *checks.server(settings),
    ]


def _print(found: Sequence[Finding]) -> None:
    screen = Screen(sys.stdout)
    for finding in found:
        state = f"{finding.state:4}"
        if screen.is_terminal:
            state = f"\x1b[{_COLORS[finding.state]}m{state}\x1b[0m"
        screen.line(f"{state}  {finding.name:9}  {finding.told}")
        if finding.remedy:
            screen.line(f"{'':17}{screen.dim(finding.remedy)}")

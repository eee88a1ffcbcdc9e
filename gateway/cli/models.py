"""hearth models: the models of a running server, and how warm they are."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from gateway.cli import model_table
from gateway.cli.caller import Caller, add_options, reach
from gateway.cli.parser import Parser
from gateway.cli.terminal import Trouble

_LOOK_S: Final = 1.0
# Another screen, so that the one with the command comes back afterwards.
_OPEN, _CLEAR, _CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[H\x1b[J", "\x1b[?25h\x1b[?1049l"


def main(words: Sequence[str]) -> int:
    """Print what is known of each model, once or again and again."""
    parser = Parser(
        prog="hearth models",
        description="The models of a running server, and how warm they are; more of it with an admin key.",
    )
    add_options(parser)
    parser.add_argument("--watch", action="store_true", default=False, help="Show it again every second, until Ctrl-C.")
    parser.add_argument("--json", action="store_true", default=False, help="Print what the server says as JSON.")
    given = parser.parse_args(words)
    if given.watch and given.json:
        parser.error("--watch and --json do not go together")
    if given.watch and not sys.stdout.isatty():
        raise Trouble("--watch wants a terminal.")
    caller = reach(given.url, given.key)
    if given.watch:
        _watch(caller)
    elif given.json:
        print(json.dumps(_told(caller), indent=2))
    else:
        print("\n".join(_lines(caller)))
    return 0


def _told(caller: Caller) -> Any:
    """What the server says: to an admin's key of all engines, to another one of the models that it may ask."""
    warmth = caller.warmth()
    return caller.models() if warmth is None else warmth["data"]


def _lines(caller: Caller) -> list[str]:
    warmth = caller.warmth()
    return table(caller.models()) if warmth is None else model_table.table(warmth)


def _watch(caller: Caller) -> None:
    print(_OPEN, end="")
    try:
        while True:
            columns, rows = shutil.get_terminal_size()
            shown = [line[: columns - 1] for line in _lines(caller)]
            print(_CLEAR + "\n".join(shown[: rows - 1]), end="", flush=True)
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        return
    finally:
        print(_CLOSE, end="", flush=True)


def table(models: Sequence[dict[str, Any]]) -> list[str]:
    """The models as lines: name, state, what it is doing, how much context it takes."""
    width = max((len(str(model["id"])) for model in models), default=0)
    return [_line(model, width) for model in models] or ["no models"]


def _line(model: dict[str, Any], width: int) -> str:
    state, stage = str(model.get("state", "")), str(model.get("stage", ""))
    length = model.get("context_length")
    # Of a warm model the stage says nothing more; of another, the length is not known yet.
    more = (f"{length} tokens of context" if length else "") if state == "warm" else stage
    return f"{model['id']:<{width}}  {state:8}  {more}".rstrip()

"""hearth models: the models of a running server, and how warm they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.cli.caller import add_options, reach
from gateway.cli.parser import Parser


def main(words: Sequence[str]) -> int:
    """Print one line for each model."""
    parser = Parser(prog="hearth models", description="The models of a running server, and how warm they are.")
    add_options(parser)
    parser.add_argument("--json", action="store_true", default=False, help="Print what the server says as JSON.")
    given = parser.parse_args(words)
    models = reach(given.url, given.key).models()
    if given.json:
        print(json.dumps(models, indent=2))
    else:
        for line in table(models):
            print(line)
    return 0


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

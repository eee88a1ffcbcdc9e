"""What `hearth warm` and `hearth cool` have in common: they order, and tell how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import quote

from gateway.cli.caller import Caller
from gateway.cli.model_table import span
from gateway.cli.terminal import Screen, Trouble

_LOOK_S: Final = 0.25

Act = Literal["warm", "cool"]
_WANTED: Final[Mapping[Act, str]] = {"warm": "warm", "cool": "cold"}


def order(caller: Caller, model: str, act: Act, query: dict[str, str], *, waits: bool) -> int:
    """Order it and, if that is wanted, wait until it is done; the exit status. Raises Trouble where it fails."""
    began = time.monotonic()
    told = caller.ask("POST", f"/admin/models/{quote(model)}/{act}", query)
    if not told["others_told"]:
        print("Redis is away: only the replica that was asked has heard it.", file=sys.stderr)
    if not waits:
        print(f"{model}: {told['state']}")
        return 0
    screen = Screen(sys.stderr)
    said = ""
    while not _is_done(told["engines"], act, told["at"]):
        now = progress(told)
        if screen.is_terminal:
            screen.status(f"{model}: {now}")
        elif _stage(told) != said:
            screen.line(f"{model}: {now}")
        said = _stage(told)
        time.sleep(_LOOK_S)
        told = {**_found(caller, model), "at": told["at"]}
    screen.status("")
    broken = [engine for engine in told["engines"] if engine["state"] == "broken"]
    if act == "warm" and broken:
        if len(broken) == len(told["engines"]):
            raise Trouble(f"{model} did not start: {broken[0]['stage']}", 1)
        for engine in broken:
            print(f"{engine['id']} did not start: {engine['stage']}", file=sys.stderr)
    print(f"{model} is {_WANTED[act]}, after {span(time.monotonic() - began)}")
    return 0


def progress(told: Mapping[str, Any]) -> str:
    """What a model is doing, and for how much longer."""
    engines = told["engines"]
    alike = sum(engine["state"] == told["state"] for engine in engines)
    count = f" ({alike} of {len(engines)} engines)" if len(engines) > 1 else ""
    left = f", about {span(told['ready_seconds'])} more" if told["ready_seconds"] else ""
    return f"{told['state']}{count}: {told['stage']}{left if told['state'] == 'booting' else ''}"


def _stage(told: Mapping[str, Any]) -> str:
    return f"{told['state']} {told['stage']}"


def _is_done(engines: Sequence[Mapping[str, Any]], act: Act, since: float) -> bool:
    """Whether every engine is as it is wanted, or broken; one that is to be warm is so only once it broke anew."""
    return all(
        engine["state"] == _WANTED[act] or (engine["state"] == "broken" and (act == "cool" or engine["since"] >= since))
        for engine in engines
    )


def _found(caller: Caller, model: str) -> dict[str, Any]:
    data = caller.ask("GET", "/admin/models")["data"]
    return next(dict(each) for each in data if each["id"] == model)

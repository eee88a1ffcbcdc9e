"""hearth keys: who may ask. Works on the store itself, whether the server runs or not."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.cli.parser import Parser
from gateway.cli.store import with_keyring
from gateway.cli.terminal import Trouble
from gateway.errors import HearthError
from gateway.keyring import secret
from gateway.keyring.issue import issue
from gateway.keys import Key
from gateway.settings import Settings, load
from gateway.wire import keys as wire

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LIMITS: Final = ("requests_per_minute", "tokens_per_minute", "concurrent", "budget")
_SAID: Final = ("name", "namespace", "models", "expires", "admin", *_LIMITS, "cache")
_COLUMNS: Final = ("id", "name", "namespace", "secret", "state", "created", "may")


def main(words: Sequence[str]) -> int:
    """Create, list or revoke keys."""
    given = _parser().parse_args(words)
    settings = load({}, given.config)
    does = {"create": _create, "list": _list, "revoke": _revoke}
    for line in does[given.what](settings, given):
        print(line)
    return 0


def table(keys: Sequence[Key], now: float) -> list[str]:
    """The keys as lines under their titles."""
    rows = [_COLUMNS, *(_row(key, now) for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _create(settings: Settings, given: argparse.Namespace) -> list[str]:
    now = time.time()
    try:
        asked = wire.parse(_body(given), secret.fresh_id(), now)
    except HearthError as error:
        raise Trouble(error.message) from None
    key, fresh = with_keyring(settings, lambda keyring: issue(keyring, asked))
    if given.json:
        return [json.dumps({**wire.show(key, now), "secret": fresh}, indent=2)]
    return [
        *table([key], now),
        "",
        f"  {fresh}",
        "",
        "This is its secret, and it is shown this once. Send it as `Authorization: Bearer ...`; the OpenAI clients",
        "read it from OPENAI_API_KEY, and `hearth chat` from HEARTH_KEY.",
    ]


def _list(settings: Settings, given: argparse.Namespace) -> list[str]:
    now = time.time()
    keys = with_keyring(settings, lambda keyring: keyring.all())
    if given.json:
        return [json.dumps([wire.show(key, now) for key in keys], indent=2)]
    return table(keys, now) if keys else ["no keys; `hearth keys create` makes one"]


def _revoke(settings: Settings, given: argparse.Namespace) -> list[str]:
    now = time.time()
    key = with_keyring(settings, lambda keyring: keyring.revoke(given.id, now))
    if key is None:
        raise Trouble(f"There is no key {given.id!r}; `hearth keys list` shows all.", 1)
    if given.json:
        return [json.dumps(wire.show(key, now), indent=2)]
    return [f"{key.id} ({key.name}) is revoked; servers that run see it within two seconds."]


def _body(given: argparse.Namespace) -> dict[str, Any]:
    """What was asked for on the command line, as `POST /admin/keys` takes it."""
    return {name: getattr(given, name) for name in _SAID if hasattr(given, name)}


def _row(key: Key, now: float) -> tuple[str, ...]:
    state = str(wire.show(key, now)["state"])
    if state == "good" and key.expires is not None:
        state = f"until {_date(key.expires)}"
    # What is as it is by itself need not be read.
    name, namespace = ("" if said == key.id else said for said in (key.name, key.namespace))
    return (key.id, name, namespace or "its own", f"...{key.hint}", state, _date(key.created), _may(key))


def _may(key: Key) -> str:
    words = [
        "admin" if key.admin else "",
        "" if key.models is None else ", ".join(key.models),
        "" if key.requests_per_minute is None else f"{key.requests_per_minute} requests/min",
        "" if key.tokens_per_minute is None else f"{key.tokens_per_minute} tokens/min",
        "" if key.concurrent is None else f"{key.concurrent} at once",
        "" if key.budget is None else f"{key.budget.amount:g}/{key.budget.period}",
        "" if key.cache is None else f"cache {key.cache}",
    ]
    return "; ".join(filter(None, words))


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g}"  # No calendar has it, and the other keys are to be seen all the same.


def _parser() -> argparse.ArgumentParser:
    made = Parser(
        prog="hearth keys",
        description="Who may ask. Works on the store of the server's settings, whether the server runs or not.",
    )
    verbs = made.add_subparsers(dest="what", metavar="create | list | revoke", required=True, parser_class=_Verb)
    create = verbs.add_parser("create", help="Make a key; its secret is shown this once.")
    create.add_argument("--name", help="What you call it. (default: its id)")
    create.add_argument("--namespace", help="Keys of one namespace see each other's answers. (default: one of its own)")
    create.add_argument(
        "--model",
        dest="models",
        action="append",
        metavar="NAME",
        help="A model it may ask, or several as `qwen-*`; may be given more than once.",
    )
    create.add_argument("--expires", type=_expires, metavar="WHEN", help="90m, 12h, 30d, or 2030-01-31T12:00:00Z.")
    create.add_argument("--admin", action="store_true", default=False, help="It may use /admin.")
    create.add_argument("--requests-per-minute", type=int, metavar="N")
    create.add_argument("--tokens-per-minute", type=int, metavar="N")
    create.add_argument("--concurrent", type=int, metavar="N", help="Generations at once.")
    create.add_argument("--budget", type=_budget, metavar="AMOUNT/PERIOD", help="As 20/month; or day, week, total.")
    create.add_argument("--cache", metavar="POLICY", help="off, deterministic or all. (default: the model's)")
    verbs.add_parser("list", help="Every key, the oldest first.")
    revoke = verbs.add_parser("revoke", help="End a key.")
    revoke.add_argument("id", metavar="ID", help="As key_0123456789abcdef.")
    return made


class _Verb(Parser):
    """What all of them take."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_argument("--config", type=Path, default=None, metavar="FILE", help="The server's file of settings.")
        self.add_argument("--json", action="store_true", default=False, help="Print JSON.")


def _expires(written: str) -> float | str:
    match = re.fullmatch(r"(\d+)([smhd])", written, re.ASCII)
    return written if match is None else float(match[1]) * _UNITS[match[2]]


def _budget(written: str) -> dict[str, Any]:
    amount, _, period = written.partition("/")
    try:
        return {"amount": float(amount), "period": period or None}
    except ValueError:
        raise argparse.ArgumentTypeError("as 20/month") from None

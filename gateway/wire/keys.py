"""Keys as JSON: what whoever creates one may say, and what is shown of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast, get_args

import msgspec

from engines.base import JSON
from gateway.errors import HearthError
from gateway.keys import Budget, Key, Period, Sharing
from gateway.suggest import nearest, shown
from gateway.wire.check import Rule, boolean, integer, mapping, number, one_of, refuse, several, text
from gateway.wire.writes import moment

_LETTERS: Final = 200
_MOST_MODELS: Final = 1000
_AMOUNT: Final = number(0)
_PERIOD: Final = one_of(*get_args(Period))
_SECONDS: Final = number(0, above=True)
_LONGEST_S: Final = 100 * 365 * 86_400


def parse(body: Mapping[str, JSON], id: str, now: float) -> Key:
    """The key that the body asks for; null counts as absent. `now` is in unix seconds.

    Whoever names no namespace gets one of its own. Raises HearthError `invalid_request`.
    """
    said: dict[str, Any] = {}
    for name, value in body.items():
        if name == "expires":
            said[name] = None if value is None else _expires(value, now)
        elif name not in _RULES:
            raise refuse(name[:100], f"A key has no {shown(name)}{nearest(name, (*_RULES, 'expires'))}.")
        elif value is not None:
            said[name] = _RULES[name](name, value)
    return Key(**{"id": id, "name": id, "namespace": id, "created": now, **said})


def show(key: Key, now: float) -> dict[str, Any]:
    """All that may be seen of a key."""
    state = "revoked" if key.revoked is not None else "good" if key.stands(now) else "expired"
    fields: dict[str, Any] = msgspec.structs.asdict(key)
    budget = None if key.budget is None else msgspec.structs.asdict(key.budget)
    return {"id": key.id, "object": "key", "state": state, **fields, "budget": budget}


def _short(where: str, value: JSON) -> str:
    written = text(where, value)
    if len(written) > _LETTERS or not written.isprintable():
        raise refuse(where, f"`{where}` must be at most {_LETTERS} letters that can be printed.")
    return written


def _models(where: str, value: JSON) -> tuple[str, ...]:
    return tuple(cast("list[str]", several(_short, "models", least=1, most=_MOST_MODELS)(where, value)))


def _budget(where: str, value: JSON) -> Budget:
    said = mapping(where, value)
    if unknown := said.keys() - {"amount", "period"}:
        raise refuse(where, f"`{where}` has an amount and a period, and no {shown(min(unknown))}.")
    if said.get("amount") is None:
        raise refuse(f"{where}.amount", f"`{where}.amount` says how much may be spent.")
    amount = cast("float", _AMOUNT(f"{where}.amount", said["amount"]))
    return Budget(amount=amount, period=cast("Period", _PERIOD(f"{where}.period", said.get("period") or "month")))


def _expires(value: JSON, now: float) -> float:
    when = _moment(value) if isinstance(value, str) else now + cast("float", _SECONDS("expires", value))
    if not now < when <= now + _LONGEST_S:
        raise refuse("expires", "`expires` must be a time to come, in a hundred years at most.")
    return when


def _moment(written: str) -> float:
    try:
        return moment(written)
    except HearthError:
        raise refuse("expires", "`expires` is seconds from now, or a time as in 2030-01-31T12:00:00Z.") from None


_RULES: Final[Mapping[str, Rule]] = {
    "name": _short,
    "namespace": _short,
    "models": cast("Rule", _models),
    "admin": boolean,
    "requests_per_minute": integer(1),
    "tokens_per_minute": integer(1),
    "concurrent": integer(1),
    "budget": cast("Rule", _budget),
    "cache": one_of(*get_args(Sharing)),
}

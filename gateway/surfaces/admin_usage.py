"""/admin/usage, /admin/caps, /admin/costs, /admin/budgets: who used what, and what it came to."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.errors import HearthError
from gateway.keyring.base import Keyring
from gateway.keys import Key
from gateway.money.base import Books, BooksAway
from gateway.money.costs import costs
from gateway.money.periods import DAY_S, day, moment, span
from gateway.money.prices import nanos, written
from gateway.money.report import BY, By, as_csv, cap_rows, rows
from gateway.money.upkeep import KEEPER
from gateway.surfaces.caller import administrator

_T = TypeVar("_T")

_DAYS: Final = 30
"""How many days back is looked when nothing else is asked."""


def routes(books: Books, keyring: Keyring, now: Callable[[], float]) -> list[Route]:
    """`/admin/usage`, `/admin/caps`, `/admin/costs`, `/admin/budgets`; `now` is in unix seconds."""

    async def usage(request: Request) -> Response:
        administrator(request)
        since, until = _between(request, now())
        by, form = _by(request), _form(request)
        names = {key.id: key.name for key in await keyring.all()}
        lines = [line for line in await _read(books.usage(since, until)) if line.key != KEEPER]
        made = rows(lines, by, names)
        if form == "csv":
            return Response(as_csv(made), media_type="text/csv; charset=utf-8")
        return JSONResponse({"since": since, "until": until, "by": by, "data": made})

    async def caps(request: Request) -> Response:
        administrator(request)
        return JSONResponse({"object": "list", "data": cap_rows(await _read(books.caps(now())))})

    async def spent(request: Request) -> Response:
        administrator(request)
        since, until = _between(request, now())
        lines = await _read(books.usage(since, until))
        return JSONResponse({"since": since, "until": until, **costs(lines, _price(request))})

    async def budgets(request: Request) -> Response:
        administrator(request)
        keys = [key for key in await keyring.all() if key.budget is not None and key.stands(now())]
        return JSONResponse({"object": "list", "data": [await _budget(books, key, now()) for key in keys]})

    return [
        Route("/admin/usage", usage, methods=["GET"]),
        Route("/admin/caps", caps, methods=["GET"]),
        Route("/admin/costs", spent, methods=["GET"]),
        Route("/admin/budgets", budgets, methods=["GET"]),
    ]


async def _budget(books: Books, key: Key, at: float) -> dict[str, str | None]:
    assert key.budget is not None
    period, limit = key.budget.period, nanos(key.budget.amount)
    spent, reserved = await _read(books.balance(key.id, period, at))
    return {
        "key": key.id,
        "name": key.name,
        "period": period,
        "ends": moment(span(period, at).end),
        "limit": written(limit),
        "spent": written(spent),
        "reserved": written(reserved),
        "left": written(max(0, limit - spent - reserved)),
    }


async def _read(work: Awaitable[_T]) -> _T:
    try:
        return await work
    except BooksAway:
        raise HearthError("state_unavailable") from None


def _between(request: Request, now: float) -> tuple[str, str]:
    """The first and the last day that are asked for."""
    until = _day(request, "until", now) or day(now)
    since = _day(request, "since", now) or str(date.fromisoformat(until) - timedelta(days=_DAYS))
    if since > until:
        raise HearthError("invalid_request", f"`since` {since} is after `until` {until}.", parameter="since")
    return since, until


def _day(request: Request, name: str, now: float) -> str | None:
    """A day as 2026-01-31, or so many days ago as 7d; None where none is said."""
    asked = request.query_params.get(name)
    if asked is None:
        return None
    if ago := re.fullmatch(r"(\d{1,4})d", asked, re.ASCII):
        return day(max(0.0, now - int(ago[1]) * DAY_S))
    try:
        return str(date.fromisoformat(asked))
    except ValueError:
        raise HearthError(
            "invalid_request", f"`{name}` is a day as 2026-01-31, or so many days ago as 7d.", parameter=name
        ) from None


def _by(request: Request) -> Sequence[By]:
    asked = request.query_params.get("by", "day,key,model").split(",")
    if not all(column in BY for column in asked) or len(set(asked)) < len(asked):
        raise HearthError("invalid_request", f"`by` is some of {', '.join(BY)}, with commas.", parameter="by")
    return [column for column in BY if column in asked]


def _form(request: Request) -> str:
    asked = request.query_params.get("format", "json")
    if asked not in ("json", "csv"):
        raise HearthError("invalid_request", "`format` is json or csv.", parameter="format")
    return asked


def _price(request: Request) -> float | None:
    asked = request.query_params.get("own_gpu_per_hour")
    if asked is None:
        return None
    try:
        price = float(asked)
    except ValueError:
        price = math.nan
    if not 0 < price < math.inf:
        raise HearthError("invalid_request", "`own_gpu_per_hour` is a price above 0.", parameter="own_gpu_per_hour")
    return price

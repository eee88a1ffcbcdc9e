"""/admin/models: how warm every engine is, in all replicas; to have a model warm, or cold."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engines.base import State
from engines.keeping import Keeper
from engines.pool import Pool
from gateway.errors import HearthError
from gateway.money.base import Books, BooksAway
from gateway.money.periods import day
from gateway.money.prices import Prices
from gateway.money.upkeep import KEEPER
from gateway.status import Means, status
from gateway.suggest import nearest, shown
from gateway.surfaces.caller import administrator
from gateway.surfaces.presence import present

_DRAIN_S: Final = 30.0
_LONGEST_DRAIN_S: Final = 3600.0
_STOP_S: Final = 30.0
"""What an engine may take to be gone after its last answer."""
_LOOK_S: Final = 0.25
"""How often it is looked whether other replicas are as far."""

Act = Literal["warm", "cool"]


class House(NamedTuple):
    """What is shown, and who carries out what is wanted."""

    pool: Pool
    keeper: Keeper
    books: Books
    prices: Mapping[str, Prices]
    boot_deadline_s: float
    now: Callable[[], float]
    """Unix seconds."""


def routes(house: House) -> list[Route]:
    """`/admin/models`, `/admin/models/{model}/warm` and `/admin/models/{model}/cool`."""

    async def show(request: Request) -> Response:
        administrator(request)
        spent = await _spent_today(house)
        data = [_status(house, model, spent) for model in house.pool.models]
        return JSONResponse({"object": "list", "now": house.now(), "data": data})

    def order(act: Act) -> Callable[[Request], Any]:
        async def carry_out(request: Request) -> Response:
            administrator(request)
            model = _model(house, request)
            drain_s, waits = _drain_s(request) if act == "cool" else 0.0, _waits(request)
            at = house.now()
            told = await house.keeper.order(model, act, drain_s)
            done = False
            if waits:
                async with present(request.receive):
                    done = await _until_done(house, model, act, at, drain_s)
            body = {**_status(house, model, await _spent_today(house)), "at": at, "others_told": told}
            return JSONResponse(body, 200 if done else 202)

        return carry_out

    return [
        Route("/admin/models", show, methods=["GET"]),
        Route("/admin/models/{model:path}/warm", order("warm"), methods=["POST"]),
        Route("/admin/models/{model:path}/cool", order("cool"), methods=["POST"]),
    ]


async def _until_done(house: House, model: str, act: Act, since: float, drain_s: float) -> bool:
    """Wait until every engine of a model is as it is wanted, or broken anew; whether that came in time."""
    try:
        async with asyncio.timeout(house.boot_deadline_s if act == "warm" else drain_s + _STOP_S):
            while not _is_done(house, model, act, since):
                changed = house.pool.models[model].changed
                # What other replicas have done is not told by any event.
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _LOOK_S)
    except TimeoutError:
        return False
    return True


def _is_done(house: House, model: str, act: Act, since: float) -> bool:
    wanted = State.WARM if act == "warm" else State.COLD
    engines = _status(house, model, Counter())["engines"]
    return all(
        engine["state"] is wanted or (engine["state"] is State.BROKEN and (act == "cool" or engine["since"] >= since))
        for engine in engines
    )


def _status(house: House, model: str, spent: Mapping[str, int]) -> dict[str, Any]:
    means = Means(house.keeper.plans[model], house.prices.get(model, Prices()), spent.get(model, 0))
    return status(model, house.keeper.seen(), means, house.now())


async def _spent_today(house: House) -> Mapping[str, int]:
    """By model, in nanos. Raises HearthError `state_unavailable`."""
    today = day(house.now())
    spent: Counter[str] = Counter()
    try:
        for line in await house.books.usage(today, today):
            if line.key != KEEPER:
                spent[line.model] += line.use.cost + line.use.unpaid
    except BooksAway:
        raise HearthError("state_unavailable") from None
    return spent


def _model(house: House, request: Request) -> str:
    model: str = request.path_params["model"]
    if model not in house.pool.models:
        raise HearthError(
            "unknown_model", f"No model {shown(model)} is served here{nearest(model, house.pool.models)}."
        )
    return model


def _drain_s(request: Request) -> float:
    asked = request.query_params.get("drain_s")
    if asked is None:
        return _DRAIN_S
    try:
        seconds = float(asked)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_DRAIN_S:
        raise HearthError("invalid_request", f"`drain_s` is 0 to {_LONGEST_DRAIN_S:g} seconds.", parameter="drain_s")
    return seconds


def _waits(request: Request) -> bool:
    asked = request.query_params.get("wait", "0")
    if asked not in ("0", "1"):
        raise HearthError("invalid_request", "`wait` is 0 or 1.", parameter="wait")
    return asked == "1"

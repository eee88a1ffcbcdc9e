"""/admin/cache: what is kept to be given again, and letting go of it."""

from __future__ import annotations

from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cache.base import Cache, Unavailable, Which
from gateway.errors import HearthError
from gateway.likeness import Likeness
from gateway.suggest import nearest
from gateway.surfaces.caller import administrator

_BY: Final = Which._fields


def routes(store: Cache, likeness: Likeness | None) -> list[Route]:
    """`/admin/cache`."""

    async def show(request: Request) -> Response:
        administrator(request)
        try:
            entries, size = await store.totals()
        except Unavailable as away:
            raise _away(away) from None
        return _json({"object": "cache", "entries": entries, "bytes": size})

    async def purge(request: Request) -> Response:
        administrator(request)
        by = dict(request.query_params)
        everything = by.pop("all", "") == "true"
        if "" in by.values():
            raise HearthError("invalid_request", "What to purge by may not be empty.")
        for name in by:
            if name not in _BY:
                raise HearthError(
                    "invalid_request", f"There is no {name!r} to purge by{nearest(name, _BY)}.", parameter=name
                )
        if not by and not everything:
            raise HearthError(
                "invalid_request", f"Say what to let go of, by any of {', '.join(_BY)}; or everything, with `all=true`."
            )
        try:
            purged = await store.purge(Which(**by))
            if likeness is not None:
                await likeness.purge(Which(**by))
        except Unavailable as away:
            raise _away(away) from None
        return _json({"object": "purge", "purged": purged})

    return [
        Route("/admin/cache", show, methods=["GET"]),
        Route("/admin/cache", purge, methods=["DELETE"]),
    ]


def _away(away: Unavailable) -> HearthError:
    return HearthError("state_unavailable", f"The cache cannot be asked just now: {away}.")


def _json(body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")

"""/collections and /search: models by what they give, and by words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.catalog.base import Listed
from gateway.catalog.output_kind import Gives, gives
from gateway.errors import HearthError
from gateway.surfaces.caller import caller
from gateway.surfaces.identity import identify
from gateway.surfaces.replicate.models import Shop
from gateway.wire.check import refuse
from gateway.wire.replicate import objects, pages

_FOUND: Final = 20
_MOST_FOUND: Final = 50


class Collection(NamedTuple):
    """Models that give the same kind of thing; None for all of them."""

    name: str
    description: str
    gives: Gives | None


COLLECTIONS: Final[Mapping[str, Collection]] = {
    "all": Collection("All models", "Everything that is served here.", None),
    "language-models": Collection("Language models", "Models that answer in text, piece by piece.", "text"),
    "files": Collection("Models that give files", "Images, sounds and whatever else is downloaded.", "files"),
    "values": Collection("Models that give values", "Models whose answers are JSON.", "values"),
}


def routes(shop: Shop) -> list[Route]:
    """The routes, without a prefix."""

    async def list_all(request: Request) -> Response:
        headers = identify(request)
        shown = [objects.collection(slug, each.name, each.description) for slug, each in COLLECTIONS.items()]
        return JSONResponse(pages.page(None, None, shown), headers=headers)

    async def get(request: Request) -> Response:
        headers, slug = identify(request), request.path_params["slug"]
        found = COLLECTIONS.get(slug)
        if found is None:
            raise HearthError("not_found", f"There is no such collection; there are {', '.join(COLLECTIONS)}.")
        models = [each for each in shop.registry.catalog.listed(caller(request)) if _belongs(each, found)]
        shown = await shop.show_all(models, request)
        return JSONResponse(objects.collection(slug, found.name, found.description, shown), headers=headers)

    async def search(request: Request) -> Response:
        headers, asked = identify(request), request.query_params
        query, limit = asked.get("query", ""), _limit(asked.get("limit"))
        shown = await shop.show_all(shop.search(query, caller(request))[:limit], request)
        collections = [
            {"slug": slug, "name": each.name, "description": each.description}
            for slug, each in COLLECTIONS.items()
            if query and query.lower() in f"{slug} {each.name} {each.description}".lower()
        ]
        models = [{"model": model, "metadata": {}} for model in shown]
        found = {"query": query, "models": models, "collections": collections, "pages": []}
        return JSONResponse(found, headers=headers)

    return [
        Route("/collections", list_all, methods=["GET"]),
        Route("/collections/{slug}", get, methods=["GET"]),
        Route("/search", search, methods=["GET"]),
    ]


def _belongs(listed: Listed, collection: Collection) -> bool:
    if collection.gives is None:
        return True
    return bool(listed.versions) and gives(listed.latest.schema) == collection.gives


def _limit(written: str | None) -> int:
    if written is None:
        return _FOUND
    if not written.isdecimal() or not 1 <= int(written) <= _MOST_FOUND:
        raise refuse("limit", f"`limit` is a number from 1 to {_MOST_FOUND}.")
    return int(written)

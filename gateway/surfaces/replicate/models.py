"""/models: what is served under owner/name, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.catalog.base import Listed, Version
from gateway.catalog.records import LINKS
from gateway.catalog.registry import Registry
from gateway.errors import HearthError
from gateway.keys import Key
from gateway.predictions.base import Predictions
from gateway.surfaces.body import BodyLimits, read_body, read_json
from gateway.surfaces.caller import administrator, caller
from gateway.surfaces.identity import identify
from gateway.surfaces.replicate.address import Address
from gateway.wire.check import one_of
from gateway.wire.replicate import objects, pages, registering

_PAGE: Final = 25
_MOST_FOUND: Final = 50
_SORT_BY: Final = one_of("model_created_at", "latest_version_created_at")
_SORT_DIRECTION: Final = one_of("asc", "desc")


class Shop(NamedTuple):
    """What the routes of models, versions and deployments need."""

    registry: Registry
    predictions: Predictions
    address: Address
    limits: BodyLimits

    def listed(self, request: Request) -> Listed:
        """The model that a path names. Raises HearthError `unknown_model`."""
        path = request.path_params
        return self.registry.catalog.model(path["owner"], path["name"], caller(request))

    async def show(self, listed: Listed, request: Request) -> dict[str, Any]:
        """A model as its clients see it."""
        card = self.registry.cards.get(listed.full_name)
        said = {} if card is None else {name: getattr(card, name) for name in LINKS if getattr(card, name)}
        return objects.model(
            listed.owner,
            listed.name,
            f"{self.address(request)}/models/{listed.full_name}",
            show_version(listed.latest) if listed.versions else None,
            run_count=await self.predictions.count(None, listed.full_name),
            description=card.description if card else None,
            visibility=(card.visibility if card else None) or "public",
            links=said,
        )

    async def show_all(self, several: Sequence[Listed], request: Request) -> list[dict[str, Any]]:
        """Models as their clients see them."""
        return await asyncio.gather(*(self.show(listed, request) for listed in several))

    def search(self, words: str, key: Key) -> list[Listed]:
        """Models in whose names or descriptions all of the words are, those with them in the name first."""
        wanted = words.lower().split()
        found: list[tuple[bool, Listed]] = []
        for listed in self.registry.catalog.listed(key):
            card, name = self.registry.cards.get(listed.full_name), listed.full_name.lower()
            text = f"{name} {card.description or ''} {card.readme or ''}".lower() if card else name
            if all(word in text for word in wanted):
                found.append((not all(word in name for word in wanted), listed))
        return [listed for _, listed in sorted(found, key=lambda each: each[0])]


def show_version(version: Version) -> dict[str, Any]:
    """A version as its clients see it."""
    return objects.version(version.id, version.created, version.schema)


def routes(shop: Shop) -> list[Route]:
    """The routes of models, without a prefix."""

    async def list_all(request: Request) -> Response:
        headers, asked = identify(request), dict(request.query_params)
        page = pages.of_list(_sorted(shop, request), f"{shop.address(request)}/models", asked, _PAGE)
        shown = await shop.show_all(page["results"], request)
        return JSONResponse({**page, "results": shown}, headers=headers)

    async def search(request: Request) -> Response:
        headers = identify(request)
        found = shop.search(_unquoted(await read_body(request, shop.limits)), caller(request))
        # There is no address of a next page: what was searched for stands in the body.
        shown = await shop.show_all(found[:_MOST_FOUND], request)
        return JSONResponse(pages.page(None, None, shown), headers=headers)

    async def create(request: Request) -> Response:
        headers, key = identify(request), administrator(request)
        name, said = registering.model(await read_json(request, shop.limits))
        if any(listed.full_name == name for listed in shop.registry.catalog.listed(key)):
            raise HearthError("name_taken", f"There is a model {name} already.")
        await shop.registry.cards.add(name, said)
        return JSONResponse(await shop.show(_named(shop, name, key), request), 201, headers)

    async def get(request: Request) -> Response:
        headers = identify(request)
        return JSONResponse(await shop.show(shop.listed(request), request), headers=headers)

    async def change(request: Request) -> Response:
        headers, _ = identify(request), administrator(request)
        listed = shop.listed(request)
        said = registering.changes(await read_json(request, shop.limits), listed.owner, listed.name)
        await shop.registry.cards.change(listed.full_name, said)
        return JSONResponse(await shop.show(listed, request), headers=headers)

    async def remove(request: Request) -> Response:
        headers, _ = identify(request), administrator(request)
        listed = shop.listed(request)
        if listed.versions:
            raise HearthError("forbidden", f"{listed.full_name} has versions; only one without any can be deleted.")
        await shop.registry.cards.remove(listed.full_name)
        return Response(status_code=204, headers=headers)

    async def readme(request: Request) -> Response:
        headers = identify(request)
        card = shop.registry.cards.get(shop.listed(request).full_name)
        if card is None or card.readme is None:
            raise HearthError("not_found", "Nothing is written of this model.")
        return PlainTextResponse(card.readme, headers=headers)

    async def examples(request: Request) -> Response:
        headers, _ = identify(request), shop.listed(request)
        return JSONResponse(pages.page(None, None, []), headers=headers)

    return [
        Route("/models", list_all, methods=["GET"]),
        Route("/models", search, methods=["QUERY"]),
        Route("/models", create, methods=["POST"]),
        Route("/models/{owner}/{name}", get, methods=["GET"]),
        Route("/models/{owner}/{name}", change, methods=["PATCH"]),
        Route("/models/{owner}/{name}", remove, methods=["DELETE"]),
        Route("/models/{owner}/{name}/readme", readme, methods=["GET"]),
        Route("/models/{owner}/{name}/examples", examples, methods=["GET"]),
    ]


def _named(shop: Shop, name: str, key: Key) -> Listed:
    owner, _, own = name.partition("/")
    return shop.registry.catalog.model(owner, own, key)


def _sorted(shop: Shop, request: Request) -> list[Listed]:
    asked = request.query_params
    by = _SORT_BY("sort_by", asked.get("sort_by") or "latest_version_created_at")
    direction = _SORT_DIRECTION("sort_direction", asked.get("sort_direction") or "desc")

    def age(listed: Listed) -> tuple[float, str]:
        card = shop.registry.cards.get(listed.full_name)
        versions = [version.created for version in listed.versions]
        if by == "latest_version_created_at":
            return max(versions, default=0.0), listed.full_name
        return min([*versions, *([card.created] if card else [])], default=0.0), listed.full_name

    return sorted(shop.registry.catalog.listed(caller(request)), key=age, reverse=direction == "desc")


def _unquoted(body: bytes) -> str:
    """The words of a search, which some clients send as they are and others as JSON."""
    written = body.decode(errors="replace").strip()
    try:
        read = orjson.loads(written)
    except orjson.JSONDecodeError:
        return written
    return read if isinstance(read, str) else written

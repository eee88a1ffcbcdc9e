"""/predictions: begin one, look at it, stop it, list all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engines.base import Kept, Prompt
from engines.pool import Pool
from gateway.catalog.base import Catalog, Version
from gateway.clock import Clock
from gateway.core import Gateway, Started, Terms
from gateway.errors import HearthError
from gateway.keys import Key
from gateway.log.local import Log, Reader
from gateway.predictions.attending import Attending
from gateway.predictions.base import Page, Predictions
from gateway.predictions.record import Record, id_of
from gateway.predictions.showing import Showing
from gateway.surfaces.body import BodyLimits, read_body, read_json
from gateway.surfaces.call_headers import cache_control, patience
from gateway.surfaces.caller import caller
from gateway.surfaces.identity import identify
from gateway.surfaces.presence import ClientLeft, present
from gateway.surfaces.replicate.address import Address
from gateway.surfaces.replicate.audience import modern, shown
from gateway.surfaces.replicate.choosing import Deployed, choose
from gateway.surfaces.replicate.retries import Retries, name_of
from gateway.wire.cache_control import PLAIN
from gateway.wire.replicate import creation, inputs, language, pages

KEPT_S: Final = 3600.0
"""How long what a prediction took and gave is kept after its end."""
_SIDE_BY_SIDE: Final = 16
"""Logs that are looked at together for a list."""

Resolve = Callable[[dict[str, Any], dict[str, Any], str, str], Awaitable[tuple[dict[str, Any], dict[str, Kept]]]]
"""Takes an input, its schema, its owner and the outside address; gives the input and which of its strings are files."""


class House(NamedTuple):
    """What the routes need."""

    gateway: Gateway
    pool: Pool
    catalog: Catalog
    refresh: Callable[[], Awaitable[None]]
    """Has the catalog look for what was pushed elsewhere."""
    deployed: Deployed
    predictions: Predictions
    attending: Attending
    showing: Showing
    resolve: Resolve
    retries: Retries
    address: Address
    clock: Clock
    limits: BodyLimits


def routes(house: House) -> list[Route]:
    """The routes, without a prefix."""
    creating, looking = Creating(house), Looking(house)
    return [
        Route("/predictions", creating.create, methods=["POST"]),
        Route("/models/{owner}/{name}/predictions", creating.create, methods=["POST"]),
        Route("/deployments/{owner}/{name}/predictions", creating.create, methods=["POST"]),
        Route("/predictions", looking.list, methods=["GET"]),
        Route("/predictions/{id}", looking.get, methods=["GET"]),
        Route("/predictions/{id}/cancel", looking.cancel, methods=["POST"]),
    ]


class Creating:
    """Begins predictions. A reply says nothing of an output that is not whole: clients take it for all there is."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def create(self, request: Request) -> Response:
        house, came = self._house, self._house.clock.steady()
        headers, key = identify(request), caller(request)
        body = await read_json(request, house.limits)
        hold_s = creation.hold_s(request.headers.get("prefer"))
        name = name_of(key.namespace, request.url.path, body)
        await house.showing.begin()
        record = await self._earlier(request, name, key)
        if record is None:
            record, started = await self._begin(request, body, key)
            headers |= started.call.headers
            await house.retries.began(name, record.generation)
        headers["location"] = f"{record.address}/predictions/{record.id}"
        with house.gateway.reading(await house.gateway.open(record.generation, key.namespace)) as reader:
            try:
                async with present(request.receive):
                    await _held(reader, came + hold_s - house.clock.steady())
            except ClientLeft:
                # The prediction goes on: whoever asked comes back for it, by its address or with the same words.
                house.retries.left(name, record.generation)
                raise
            whole = hold_s > 0 and reader.log.ended
            told = (
                await shown(house.showing, record, reader.log, request)
                if whole
                else house.showing.created(record, reader.log)
            )
        return _json(told, 201 if whole or not hold_s else 202, headers)

    async def _earlier(self, request: Request, name: str, key: Key) -> Record | None:
        """What this call began when it was made before."""
        generation = await self._house.retries.earlier(request, name)
        return None if generation is None else await self._house.predictions.get(id_of(generation), key.namespace)

    async def _begin(self, request: Request, body: dict[str, Any], key: Key) -> tuple[Record, Started]:
        house, address = self._house, self._house.address(request)
        asked = creation.parse(body)
        lasts_s = creation.cancel_after_s(request.headers.get("cancel-after"))
        try:
            found, deployment = await choose(request, asked.version, key, house.catalog, house.deployed)
        except HearthError as error:
            if error.code not in _MAY_BE_NEW:
                raise
            # Another replica may have been given it a moment ago.
            await house.refresh()
            found, deployment = await choose(request, asked.version, key, house.catalog, house.deployed)
        version = found.version
        input = inputs.check(asked.input, version.schema)
        given, files = await house.resolve(input, version.schema, key.namespace, address)
        deadline = None if lasts_s is None else house.clock.wall() + lasts_s
        started = await house.gateway.start(
            version.model,
            self._prompt(version, given, files),
            key=key,
            surface="replicate",
            grace=None,
            addressed=True,
            control=cache_control(request, PLAIN),
            # `Prefer: wait` means something else here: to wait for the answer, however cold the model is.
            patience=patience(request)._replace(wait_s=None),
            terms=Terms(asked=given, kept_s=KEPT_S, deadline=deadline),
        )
        call = started.call
        record = Record(
            id=id_of(call.generation.id),
            generation=call.generation.id,
            owner=key.namespace,
            key=key.id,
            model=found.listed.full_name,
            version=version.id,
            created=call.created,
            address=address,
            deployment=deployment,
            hook=asked.hook,
            deadline=deadline,
        )
        try:
            await house.attending.attend(record)
        except HearthError:
            # Nobody is told of it, so nobody could come for its answer.
            await house.gateway.cancel(record.generation, record.owner)
            raise
        return record, started

    def _prompt(self, version: Version, input: dict[str, Any], files: dict[str, Kept]) -> Prompt:
        if version.predictor:
            return Prompt(inputs=input, files=files)
        return language.prompt(input, self._house.pool.models[version.model].traits)


class Looking:
    """Shows predictions, and stops them."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def get(self, request: Request) -> Response:
        headers = identify(request)
        record = await self._record(request)
        return await self._shown(record, request, headers)

    async def cancel(self, request: Request) -> Response:
        headers = identify(request)
        # Some clients say that there is JSON where there is nothing.
        await read_body(request, self._house.limits)
        record = await self._record(request)
        try:
            await self._house.gateway.cancel(record.generation, record.owner)
        except HearthError as error:
            if error.code not in _GONE:
                raise
        return await self._shown(record, request, headers)

    async def list(self, request: Request) -> Response:
        headers, key = identify(request), caller(request)
        house, query = self._house, pages.query(dict(request.query_params))
        await house.showing.begin()
        page = await house.predictions.page(key.namespace, query)
        results = await self._each(page, modern(request))
        address = f"{house.address(request)}/predictions"
        return _json(pages.of_records(page, query, address, results), 200, headers)

    async def _each(self, page: Page, modern: bool) -> Sequence[dict[str, Any]]:
        turn = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def one(record: Record) -> dict[str, Any]:
            async with turn:
                return self._house.showing.shown(record, await self._log(record), modern=modern)

        return await asyncio.gather(*map(one, page.records))

    async def _record(self, request: Request) -> Record:
        record = await self._house.predictions.get(request.path_params["id"], caller(request).namespace)
        if record is None:
            raise HearthError("unknown_prediction")
        await self._house.showing.begin()
        return record

    async def _shown(self, record: Record, request: Request, headers: dict[str, str]) -> Response:
        return _json(await shown(self._house.showing, record, await self._log(record), request), 200, headers)

    async def _log(self, record: Record) -> Log | None:
        try:
            return await self._house.gateway.look(record.generation, record.owner)
        except HearthError as error:
            if error.code not in _GONE:
                raise
            return None


_MAY_BE_NEW: Final = ("unknown_model", "unknown_version", "unknown_deployment")
_GONE: Final = ("expired", "unknown_generation")
"""A log is no longer kept, or went with the server that held it."""


async def _held(reader: Reader, seconds: float) -> None:
    """Wait for the end of a log, but no longer than that."""
    if seconds > 0 and not reader.log.ended:
        try:
            async with asyncio.timeout(seconds):
                await reader.end()
        except TimeoutError:
            return


def _json(body: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")

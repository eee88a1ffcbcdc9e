"""/predictions: begin one, look at it, stop it, list all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
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
from gateway.generation import State
from gateway.keys import Key
from gateway.log.local import Log, Reader
from gateway.predictions.attending import Attending
from gateway.predictions.base import Page, Predictions, Query
from gateway.predictions.record import Record, id_of
from gateway.predictions.showing import Showing
from gateway.surfaces.body import BodyLimits, read_body, read_json
from gateway.surfaces.call_headers import cache_control, patience
from gateway.surfaces.caller import caller, came
from gateway.surfaces.identity import identify
from gateway.surfaces.presence import ClientLeft, present
from gateway.surfaces.replicate.address import Address
from gateway.surfaces.replicate.choosing import Deployed, choose
from gateway.surfaces.replicate.clients import modern, shown
from gateway.surfaces.replicate.retries import Retries, name_of
from gateway.wire.cache_control import PLAIN
from gateway.wire.replicate import creation, inputs, language, pages

KEPT_S: Final = 3600.0
"""How long what a prediction took and gave is kept after its end."""
_SIDE_BY_SIDE: Final = 4
"""Logs that are looked at together for a list; each may be as large as a generation."""
_PAGE_BYTES: Final = 8 << 20
"""Once a page has more than this, the rest stands on the next one."""

Resolve = Callable[[dict[str, Any], dict[str, Any] | None, str, str], Awaitable[tuple[dict[str, Any], dict[str, Kept]]]]
"""Takes an input, its schema if that is known, its owner and the outside address.

Gives the input, and which of its strings are files.
"""


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
    objection: creation.Objection
    """Why an address that is written as a number is never called."""
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
        house = self._house
        headers, key = identify(request), caller(request)
        body = await read_json(request, house.limits)
        asked, hold_s = creation.parse(body, house.objection), creation.hold_s(request.headers.get("prefer"))
        name = name_of(key, request.url.path, body)
        await house.showing.begin()
        record = await self._earlier(request, name, key)
        if record is None:
            record, started = await self._begin(request, asked, key)
            headers |= started.call.headers
        # Files may stand in it, and nobody reads it again while the answer is awaited.
        del body, asked
        headers["location"] = f"{record.address}/predictions/{record.id}"
        with house.gateway.reading(await house.gateway.open(record.generation, key.namespace)) as reader:
            try:
                async with present(request.receive):
                    await _held(reader, came(request) + hold_s)
            except ClientLeft:
                # The prediction goes on: whoever asked comes back for it, by its address or with the same words.
                await house.retries.left(name, record.generation)
                raise
            whole = hold_s > 0 and reader.log.ended
            told = (
                await shown(house.showing, record, reader.log, request)
                if whole
                else house.showing.created(record, reader.log)
            )
        return _json(told, 201 if whole or not hold_s else 202, headers)

    async def _earlier(self, request: Request, name: str, key: Key) -> Record | None:
        """What this call began when it was made before, unless that has come to nothing."""
        generation = await self._house.retries.earlier(request, name)
        if generation is None:
            return None
        record = await self._house.predictions.get(id_of(generation), key.namespace)
        log = None if record is None else await _log(self._house, record)
        return None if log is None or log.generation.state in (State.FAILED, State.CANCELED) else record

    async def _begin(self, request: Request, asked: creation.Creation, key: Key) -> tuple[Record, Started]:
        house, address = self._house, self._house.address(request)
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
        given, files = await house.resolve(input, version.told, key.namespace, address)
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
            terms=Terms(asked=given, kept_s=KEPT_S, deadline=deadline, versions=version.answers),
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
        page, results = await self._fitting(page, query, modern(request))
        address = f"{house.address(request)}/predictions"
        return _json(pages.of_records(page, query, address, results), 200, headers)

    async def _fitting(self, page: Page, query: Query, modern: bool) -> tuple[Page, Sequence[orjson.Fragment]]:
        """As much of a page as may be held at once, and its predictions as they are shown."""

        async def one(record: Record) -> bytes:
            return orjson.dumps(self._house.showing.shown(record, await _log(self._house, record), modern=modern))

        records = page.records[::-1] if query.backwards else page.records
        shown: list[bytes] = []
        while len(shown) < len(records) and sum(map(len, shown)) <= _PAGE_BYTES:
            shown += await asyncio.gather(*map(one, records[len(shown) : len(shown) + _SIDE_BY_SIDE]))
        count = _fit(shown)
        results = [orjson.Fragment(each) for each in shown[:count]]
        return page.cut(count, query.backwards), results[::-1] if query.backwards else results

    async def _record(self, request: Request) -> Record:
        record = await self._house.predictions.get(request.path_params["id"], caller(request).namespace)
        if record is None:
            raise HearthError("unknown_prediction")
        await self._house.showing.begin()
        return record

    async def _shown(self, record: Record, request: Request, headers: dict[str, str]) -> Response:
        log = await _log(self._house, record)
        return _json(await shown(self._house.showing, record, log, request), 200, headers)


_MAY_BE_NEW: Final = ("unknown_model", "unknown_version", "unknown_deployment")
_GONE: Final = ("expired", "unknown_generation")
"""A log is no longer kept, or went with the server that held it."""


def _fit(shown: Sequence[bytes]) -> int:
    """How many of these are on a page: at least one."""
    before = accumulate(map(len, shown), initial=0)
    return sum(size <= _PAGE_BYTES for size, _ in zip(before, shown, strict=False))


async def _log(house: House, record: Record) -> Log | None:
    """What was written of it; None where nothing is kept."""
    try:
        return await house.gateway.look(record.generation, record.owner)
    except HearthError as error:
        if error.code not in _GONE:
            raise
        return None


async def _held(reader: Reader, until: float) -> None:
    """Wait for the end of a log, but no longer than until then, by the loop's clock.

    Where that is over already, the loop turns once: so it is seen whether the caller has left.
    """
    try:
        async with asyncio.timeout_at(until):
            await reader.end()
    except TimeoutError:
        return


def _json(body: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")

"""Builds what predictions need beside the gateway; begins it and ends it with the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from starlette.routing import BaseRoute

from engines.base import Kept
from gateway.carrying import Carrying
from gateway.catalog.pushing import Make
from gateway.catalog.registry import Registry
from gateway.catalog.shelf.place import open_shelf
from gateway.claims.base import Claims
from gateway.clock import Clock
from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.files.data_urls import as_data_url
from gateway.files.place import open_store
from gateway.files.resolving import resolve
from gateway.keyring.lookup import ADMIN, Lookup
from gateway.log.base import new_epoch
from gateway.log.local import Log
from gateway.metrics import Metrics
from gateway.predictions.attendance import Parts
from gateway.predictions.attending import Attending
from gateway.predictions.errand import Errand
from gateway.predictions.place import open_predictions
from gateway.predictions.record import Record
from gateway.predictions.showing import Showing
from gateway.redis.address import Address
from gateway.settings import Settings
from gateway.surfaces import admin_webhooks
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.replicate import (
    account,
    collections,
    deployments,
    models,
    predictions,
    streams,
    versions,
    webhooks,
    wrong_base,
)
from gateway.surfaces.replicate import files as files_surface
from gateway.surfaces.replicate.address import addressed, everywhere
from gateway.surfaces.replicate.retries import Retries
from gateway.webhooks import signing
from gateway.webhooks.errand import Webhooks
from gateway.webhooks.patience import Patience
from gateway.webhooks.sender import Sender
from gateway.wire.replicate import language
from gateway.wire.replicate.prediction import ending

_PUSHED: Final = "hearth-models"
"""The folder, beside the state file, in which pushed models are unpacked."""


class Predicting:
    """All parts of the Replicate surface. `names` are the owner/name of each model, `make` makes pushed ones."""

    def __init__(
        self,
        settings: Settings,
        gateway: Gateway,
        carrying: Carrying,
        lookup: Lookup,
        claims: Claims,
        redis: Address | None,
        names: Mapping[str, str],
        make: Make,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._carrying = carrying
        self._lookup = lookup
        self._clock = clock
        self._registry = Registry(
            gateway.pool,
            names,
            language.schema,
            open_shelf(redis, settings.state_file, clock.steady),
            partial(open_store, settings.files),
            settings.state_file.absolute().parent / _PUSHED,
            make,
            clock.wall,
        )
        self._catalog = self._registry.catalog
        self._store = open_predictions(redis, settings.state_file, clock)
        inline = partial(as_data_url, carrying.files, most=settings.file_bytes)
        self._showing = Showing(self._document, lookup.seal, self._file_address, inline)
        sender = Sender(carrying.outgoing, self._store, self._secret, clock, metrics)
        self._webhooks = Webhooks(sender, self._store, self._showing.body, clock, Patience(settings.webhook_s))
        parts = Parts(self._store, self._open, ending, self._errand, clock.wall)
        self._attending = Attending(parts, new_epoch(), settings.lease_s)
        self._retries = Retries(claims)

    @asynccontextmanager
    async def life(self) -> AsyncIterator[None]:
        """While the server is up."""
        await self._carrying.begin()
        await self._registry.begin()
        self._attending.begin()
        try:
            yield
        finally:
            await self._attending.close()
            await self._registry.close()
            await self._store.close()
            await self._carrying.close()

    def routes(self, limits: BodyLimits) -> list[BaseRoute]:
        """Replicate's routes, wherever its clients look for them, and what administrators have of them."""
        settings, carrying, clock = self._settings, self._carrying, self._clock
        address = addressed(settings.public_url)
        house = predictions.House(
            self._gateway,
            self._gateway.pool,
            self._catalog,
            self._registry.refresh,
            self._registry.deployments,
            self._store,
            self._attending,
            self._showing,
            partial(resolve, carrying.files, most=settings.file_bytes),
            carrying.outgoing.objection,
            self._retries,
            address,
            clock,
            limits._replace(max_bytes=settings.prediction_bytes),
        )
        shop = models.Shop(self._registry, self._store, address, limits)
        own = everywhere(
            [
                *predictions.routes(house),
                *streams.routes(self._gateway, self._store, self._showing, settings.keep_alive_s),
                *webhooks.routes(self._lookup),
                *models.routes(shop),
                *versions.routes(shop),
                *deployments.routes(shop),
                *collections.routes(shop),
                *account.routes(settings.hardware),
                *files_surface.routes(
                    carrying.files,
                    self._lookup.seal,
                    limits._replace(max_bytes=settings.file_bytes),
                    clock.wall,
                    address,
                ),
            ]
        )
        own += wrong_base.routes(address)
        return [*own, *admin_webhooks.routes(self._gateway, self._store, self._webhooks, clock.wall)]

    def _document(self, version: str) -> dict[str, Any]:
        try:
            return self._catalog.version(version, ADMIN).version.schema
        except HearthError:
            # It is served no more, and what it gave is shown all the same.
            return {}

    def _file_address(self, record: Record, kept: Kept, seal: bytes) -> str:
        return files_surface.address_of(kept, record.address, self._carrying.files, seal)

    def _errand(self, record: Record) -> Errand | None:
        return self._webhooks if record.hook is not None else None

    async def _secret(self, key: str) -> str:
        return signing.secret(await self._lookup.seal(), key)

    async def _open(self, generation: str, owner: str) -> Log:
        # Whoever attends to a prediction tells of it too.
        await self._showing.begin()
        return await self._gateway.open(generation, owner)

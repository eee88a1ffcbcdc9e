"""Builds the server from its settings: the only file that knows every part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.middleware import Middleware

from engines import registry
from engines.errors import EngineError
from engines.keeper import is_kept
from engines.keeping import Keeper
from engines.learning import Learner
from engines.pool import Pool
from engines.porter import Porter
from engines.pulse import Pulse
from engines.registry import ModelSource
from engines.seat import Place
from engines.vllm.hosting import Hosting
from gateway.admission import Gates
from gateway.board.place import open_board, open_history
from gateway.caching import Caching, Policy
from gateway.carrying import Carrying
from gateway.catalog.naming import full_names
from gateway.clock import Clock
from gateway.core import Deadlines, Gateway
from gateway.embedding import Embedding
from gateway.keyring.lookup import Lookup
from gateway.keyring.place import open_keyring
from gateway.keys import family
from gateway.listening import is_loopback
from gateway.log.base import new_epoch
from gateway.metrics import Metrics
from gateway.middleware import Authentication, Origins
from gateway.money.gate import MoneyGate
from gateway.money.place import open_books
from gateway.money.prices import Prices
from gateway.money.upkeep import Upkeep
from gateway.plans import plan, wish
from gateway.predicting import Predicting
from gateway.redis.address import Address
from gateway.remote import Bounds, RemoteStreams
from gateway.settings import Settings
from gateway.stores import context_length, find_likeness, limits_of, open_cache, open_stores, policies
from gateway.surfaces import (
    admin_cache,
    admin_keys,
    admin_models,
    admin_usage,
    durable,
    embeddings,
    failures,
    openai,
    operations,
    page,
    socket,
    streams,
    tickets,
)
from gateway.surfaces.body import BodyLimits
from gateway.tables import ModelTable


class Company(NamedTuple):
    """What a worker has together with the other workers of its server."""

    hosting: Callable[[str], Hosting]
    """A model's way to the host that all of them share."""
    metrics: str
    """The folder in which they count together."""
    server: str
    """What they are called together: no other server has that name."""
    redis: str | None = None
    """The Redis that ends with them, for what may end with it; None where the settings name one."""


def build(settings: Settings, clock: Clock | None = None, company: Company | None = None) -> Starlette:
    """The ASGI application. Raises EngineError `bad_model_source` when a model is named wrongly."""
    clock = clock or Clock()
    metrics = Metrics(company.metrics if company else None)
    carrying = Carrying(settings, clock)
    sources = [registry.parse(written) for written in settings.models]
    lasting = _address(settings.redis_url.get_secret_value() if settings.redis_url else None)
    shared = lasting or _address(company.redis if company else None)
    board = open_board(shared, new_epoch(), clock)
    history = open_history(lasting, settings.state_file, clock)
    tables = {source.name: settings.model.get(source.name, ModelTable.model_validate({})) for source in sources}
    plans = {name: plan(table) for name, table in tables.items()}
    places = [
        place._replace(device=tables[place.model].device, share=tables[place.model].device_share)
        for place in _places(settings, sources, company, carrying.porter)
    ]
    pool = Pool(
        places,
        clock.steady,
        settings.boot_deadline_s,
        wall=clock.wall,
        board=board,
        roaming=[name for name, table in tables.items() if not table.affinity],
        kept=lambda seat: (
            seat.is_pinned or is_kept(clock.wall(), plans[seat.model], max(seat.boot_times, default=None))
        ),
    )
    logs, claims = open_stores(settings, shared, clock)
    # Keys outlive the server, and a Redis of its own does not.
    keyring = open_keyring(lasting, settings.state_file, clock.steady)
    admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
    lookup = Lookup(keyring, clock, admin_key=admin_key, guarded=not is_loopback(settings.host))
    caching = Caching(
        open_cache(settings, shared, clock), policies(settings), Policy(settings.cache, settings.cache_ttl_s), metrics
    )
    books = open_books(lasting, settings.state_file, clock)
    prices = {name: Prices.of(table, settings.hardware) for name, table in settings.model.items()}
    idle_s = {name: each.idle_s for name, each in plans.items() if each.idle_s is not None}
    upkeep = Upkeep(pool, board.replica, prices, idle_s, clock, metrics)
    money = MoneyGate(books, prices, lambda model: context_length(pool, model), clock, metrics, upkeep)
    # Money last: who cannot pay gives back what the limits had given.
    gate = Gates([limits_of(settings, shared, pool, clock, metrics), money])
    embedding = Embedding(pool, gate, clock, metrics, settings.engine_silence_s)
    likeness = find_likeness(settings, shared, clock, pool, embedding, caching)
    gateway = Gateway(
        pool,
        logs,
        claims,
        caching,
        gate,
        clock,
        metrics,
        Deadlines(
            engine_silence_s=settings.engine_silence_s,
            first_token_s=settings.first_token_s,
            total_s=settings.generation_s,
            predictor_s=settings.prediction_s,
            reader_stall_s=settings.reader_stall_s,
            reader_lag_bytes=settings.reader_lag_bytes,
            retry_s=settings.abandon_after_s,
            running=settings.max_running,
            # Sooner than a keep-alive would be due, which then need not be said.
            retell_s=0.9 * settings.keep_alive_s,
        ),
        likeness,
        {name: table.fallback for name, table in settings.model.items() if table.fallback is not None},
    )
    carrying.gateway = gateway

    def pushed(model: str, folder: Path) -> Place:
        table = settings.model.get(family(model), ModelTable.model_validate({}))
        [place] = _places(settings, [ModelSource(model, "cog", str(folder), {})], company, carrying.porter)
        # It is kept and paid for as its table says, which stands under the name without digits.
        plans[model], prices[model] = plan(table), Prices.of(table, settings.hardware)
        return place._replace(device=table.device, share=table.device_share)

    predicting = Predicting(
        settings, gateway, carrying, lookup, claims, lasting, _names(tables), pushed, clock, metrics
    )
    remote = RemoteStreams(logs, clock, Bounds(settings.max_running, settings.keep_bytes))

    wishes = {name: found for name, table in tables.items() if (found := wish(table, settings.hardware)) is not None}
    learner = Learner(plans, wishes, history, clock.wall, lambda model: pool.models[model].best.boot_estimate_s)
    pulse = Pulse(pool, board, history, clock.steady, clock.wall)
    keeper = Keeper(pool, pulse, board, plans, clock.steady, clock.wall, upkeep, learner)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # The gateway drains its streams itself, and tells the readers how to go on; the library would just cut them.
        AppStatus.disable_automatic_graceful_drain()
        await gateway.begin()
        remote.begin()
        await lookup.begin()
        await keeper.begin()
        if settings.preload:
            for name in pool.models:
                # Those that share a device would throw each other out.
                if not plans[name].hours and tables[name].device is None:
                    pool.warm(name)
        async with predicting.life():
            yield
        await keeper.close()
        await gateway.close()
        await board.close()
        await history.close()
        await remote.close()
        if likeness is not None:
            await likeness.close()
        await keyring.close()

    limits = BodyLimits(settings.max_body_bytes, settings.body_deadline_s)
    app = Starlette(
        routes=[
            *operations.routes(gateway, metrics),
            *durable.routes(
                gateway,
                remote,
                limits,
                writes=settings.durable_writes,
                keep_alive_s=settings.keep_alive_s,
                now=clock.wall,
            ),
            *streams.routes(gateway, limits, streams.Manners(settings.keep_alive_s, settings.abandon_after_s)),
            *socket.routes(gateway, settings.abandon_after_s),
            *admin_cache.routes(caching.store, likeness),
            *page.routes(),
            *tickets.routes(lookup, limits, clock.wall, settings.ticket_s),
            *admin_models.routes(admin_models.House(pool, keeper, books, prices, settings.boot_deadline_s, clock.wall)),
            *admin_keys.routes(keyring, limits, clock.wall),
            *admin_usage.routes(books, keyring, clock.wall),
            *openai.routes(
                gateway,
                limits,
                keep_alive_s=settings.keep_alive_s,
                grace_s=settings.abandon_after_s,
                since=clock.wall(),
            ),
            *embeddings.routes(gateway, embedding, limits),
            *predicting.routes(limits),
        ],
        middleware=[
            *([Middleware(Origins, settings.origins)] if settings.origins else []),
            Middleware(Authentication, lookup, clock.wall, open_access=settings.open_access),
        ],
        exception_handlers=failures.HANDLERS,
        lifespan=lifespan,
    )
    # Clients do not follow a redirect to the address without a slash: it is no route, and said to be none.
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    app.state.keeper = keeper
    return app


def _names(tables: Mapping[str, ModelTable]) -> dict[str, str]:
    """The owner/name of each model. Raises EngineError `bad_model_source`."""
    given = {name: table.replicate for name, table in tables.items() if table.replicate is not None}
    try:
        return full_names(tables, given)
    except ValueError as error:
        raise EngineError("bad_model_source", str(error)) from None


def _places(settings: Settings, sources: Sequence[ModelSource], company: Company | None, porter: Porter) -> list[Place]:
    """The engines of the models."""
    token = settings.replicate_api_token
    return registry.build(
        sources,
        registry.Elsewhere(company.server, company.hosting) if company else None,
        settings.upstreams,
        replicate_token=token.get_secret_value() if token else None,
        keep_vllm=settings.keep_vllm,
        predictors=settings.predictors(porter),
    )


def _address(url: str | None) -> Address | None:
    return None if url is None else Address.parse(url)

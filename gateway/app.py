"""Builds the server from its settings: the only file that knows every part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.middleware import Middleware

from cache.base import Cache
from cache.memory import MemoryCache
from cache.semantic import Semantic
from cache.vectors.base import Vectors
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
from gateway.catalog.naming import full_names
from gateway.claims.base import Claims
from gateway.claims.memory import MemoryClaims
from gateway.clock import Clock
from gateway.core import Deadlines, Gateway
from gateway.embedding import Embedding
from gateway.keyring.lookup import Lookup
from gateway.keyring.place import open_keyring
from gateway.keys import family
from gateway.likeness import Likeness, Likes
from gateway.limits.base import Limiter
from gateway.limits.gate import KeyLimits, LimitGate, ModelLimits
from gateway.limits.memory import MemoryLimiter
from gateway.listening import is_loopback
from gateway.log.base import Logs, Retention, new_epoch
from gateway.log.memory import MemoryLogs
from gateway.metrics import Metrics
from gateway.middleware import Authentication, Origins
from gateway.money.gate import MoneyGate
from gateway.money.place import open_books
from gateway.money.prices import Prices
from gateway.money.upkeep import Upkeep
from gateway.plans import plan, wish
from gateway.predicting import Carrying, Predicting
from gateway.redis.address import Address
from gateway.remote import Bounds, RemoteStreams
from gateway.settings import Settings
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

_CACHE_S: Final = 0.5
"""How long a call waits for the cache before it goes on without it."""


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
    logs, claims = _stores(settings, shared, clock)
    # Keys outlive the server, and a Redis of its own does not.
    keyring = open_keyring(lasting, settings.state_file, clock.steady)
    admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
    lookup = Lookup(keyring, clock, admin_key=admin_key, guarded=not is_loopback(settings.host))
    caching = Caching(
        _cache(settings, shared, clock), _policies(settings), Policy(settings.cache, settings.cache_ttl_s), metrics
    )
    books = open_books(lasting, settings.state_file, clock)
    prices = {name: Prices.of(table, settings.hardware) for name, table in settings.model.items()}
    idle_s = {name: each.idle_s for name, each in plans.items() if each.idle_s is not None}
    upkeep = Upkeep(pool, board.replica, prices, idle_s, clock, metrics)
    money = MoneyGate(books, prices, lambda model: _context_length(pool, model), clock, metrics, upkeep)
    # Money last: who cannot pay gives back what the limits had given.
    gate = Gates([_limits(settings, shared, pool, clock, metrics), money])
    embedding = Embedding(pool, gate, clock, metrics, settings.engine_silence_s)
    likeness = _likeness(settings, shared, clock, pool, embedding, caching)
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


def _policies(settings: Settings) -> dict[str, Policy]:
    """What is given again of each model that has settings of its own."""
    return {
        name: Policy(table.cache or settings.cache, table.cache_ttl_s or settings.cache_ttl_s)
        for name, table in settings.model.items()
    }


def _likeness(
    settings: Settings, redis: Address | None, clock: Clock, pool: Pool, embedding: Embedding, caching: Caching
) -> Likeness | None:
    """How like questions are found, where any model wants that. Raises EngineError `bad_model_source`."""
    models = {
        name: Likes(table.semantic_model, table.semantic_threshold, table.semantic_careful)
        for name, table in settings.model.items()
        if table.semantic_model is not None
    }
    if not models:
        return None
    for name, likes in models.items():
        if likes.embedder not in pool.models:
            message = f"[model.{name}] names the semantic_model {likes.embedder!r}, which is not served."
            raise EngineError("bad_model_source", message)
    # Whoever has no like questions need not wait for NumPy's import.
    from cache.vectors.memory import MemoryVectors

    vectors: Vectors = MemoryVectors(clock.steady)
    if redis is not None:
        from cache.vectors.redis import RedisVectors
        from gateway.redis.lending import Lent
        from gateway.redis.link import Link

        client = redis.client(connections=4, timeout_s=_CACHE_S)
        vectors = RedisVectors(Lent(Link("questions", client, clock.steady, _CACHE_S)), vectors)
    return Likeness(Semantic(vectors), embedding, pool, caching, models)


def _limits(settings: Settings, redis: Address | None, pool: Pool, clock: Clock, metrics: Metrics) -> LimitGate:
    """What each key and each model may use."""
    limiter: Limiter = MemoryLimiter(clock.steady)
    if redis is not None:
        from gateway.limits.redis import RedisLimiter

        # A run that another replica takes over keeps its place: that takes up to a lease and a quarter.
        limiter = RedisLimiter(redis, clock.steady, lease_s=1.5 * settings.lease_s)
    keys = KeyLimits(settings.requests_per_minute, settings.tokens_per_minute, settings.concurrent)
    models = {
        name: ModelLimits(table.requests_per_minute, table.tokens_per_minute, table.concurrent, table.max_queued)
        for name, table in settings.model.items()
    }
    return LimitGate(limiter, keys, models, lambda model: _context_length(pool, model), clock.steady, metrics)


def _cache(settings: Settings, redis: Address | None, clock: Clock) -> Cache:
    """Where answers are kept to be given again."""
    own = MemoryCache(clock.steady, settings.cache_bytes)
    if redis is None:
        return own
    from cache.fallback import Fallback
    from cache.redis import RedisCache
    from gateway.redis.lending import Lent
    from gateway.redis.link import Link

    client = redis.client(connections=4, timeout_s=_CACHE_S)
    shared = RedisCache(Lent(Link("cache", client, clock.steady, _CACHE_S)), settings.cache_bytes)
    return Fallback(shared, own, clock.steady)


def _context_length(pool: Pool, model: str) -> int | None:
    served = pool.models.get(model)
    return None if served is None else served.traits.context_length


def _address(url: str | None) -> Address | None:
    return None if url is None else Address.parse(url)


def _stores(settings: Settings, redis: Address | None, clock: Clock) -> tuple[Logs, Claims]:
    """Where logs and claims are kept: in Redis if there is one, else in memory."""
    remembered_s = Retention().remembered_s
    retention = Retention(
        ended_s=settings.keep_ended_s,
        # A key is never remembered for longer than its generation: that would be generated anew instead of `expired`.
        remembered_s=max(remembered_s, settings.idempotency_s),
        log_bytes=settings.generation_bytes,
        total_bytes=settings.keep_bytes,
    )
    if redis is None:
        return MemoryLogs(clock.steady, retention), MemoryClaims(clock.steady, settings.idempotency_s)
    # Whoever has no Redis need not wait for its client's import.
    from gateway.claims.redis import RedisClaims
    from gateway.log.redis import RedisLogs

    logs = RedisLogs(redis, clock.steady, retention, lease_s=settings.lease_s)
    return logs, RedisClaims(redis, clock.steady, settings.idempotency_s, run=lambda: logs.run)

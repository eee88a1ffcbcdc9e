"""Where the server keeps what it keeps, and what each key and model may use, by the settings."""

from __future__ import annotations

from typing import Final

from cache.base import Cache
from cache.memory import MemoryCache
from cache.semantic import Semantic
from cache.vectors.base import Vectors
from engines.errors import EngineError
from engines.pool import Pool
from gateway.caching import Caching, Policy
from gateway.claims.base import Claims
from gateway.claims.memory import MemoryClaims
from gateway.clock import Clock
from gateway.embedding import Embedding
from gateway.likeness import Likeness, Likes
from gateway.limits.base import Limiter
from gateway.limits.gate import KeyLimits, LimitGate, ModelLimits
from gateway.limits.memory import MemoryLimiter
from gateway.log.base import Logs, Retention
from gateway.log.memory import MemoryLogs
from gateway.metrics import Metrics
from gateway.redis.address import Address
from gateway.settings import Settings

_CACHE_S: Final = 0.5
"""How long a call waits for the cache before it goes on without it."""


def policies(settings: Settings) -> dict[str, Policy]:
    """What is given again of each model that has settings of its own."""
    return {
        name: Policy(table.cache or settings.cache, table.cache_ttl_s or settings.cache_ttl_s)
        for name, table in settings.model.items()
    }


def find_likeness(
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


def limits_of(settings: Settings, redis: Address | None, pool: Pool, clock: Clock, metrics: Metrics) -> LimitGate:
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
    return LimitGate(limiter, keys, models, lambda model: context_length(pool, model), clock.steady, metrics)


def open_cache(settings: Settings, redis: Address | None, clock: Clock) -> Cache:
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


def open_stores(settings: Settings, redis: Address | None, clock: Clock) -> tuple[Logs, Claims]:
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


def context_length(pool: Pool, model: str) -> int | None:
    served = pool.models.get(model)
    return None if served is None else served.traits.context_length

"""What `hearth doctor` says of Redis."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.exceptions import RedisError

from gateway.cli.checks import Finding
from gateway.redis.address import Address
from gateway.redis.link import reason
from gateway.settings import Settings

OLDEST: Final = (6, 2)
_ASK_S: Final = 2.0


def redis(settings: Settings) -> Finding:
    """Whether the Redis that is named is there, new enough, and keeps what it is given."""
    if settings.redis_url is None:
        return Finding("ok", "redis", "none named; one server needs none")
    address = Address.parse(settings.redis_url.get_secret_value())
    try:
        about = asyncio.run(_ask(address))
    except (RedisError, OSError, TimeoutError) as error:
        return Finding(
            "warn",
            "redis",
            f"{address.shown} does not answer: {reason(error)}",
            "The server starts all the same, but shares nothing with others until it does.",
        )
    version = str(about["redis_version"])
    told = f"{address.shown}, version {version}"
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        return Finding("fail", "redis", told, "Hearth needs version 6.2 or newer.")
    policy = about.get("maxmemory_policy", "noeviction")
    if about.get("maxmemory") and policy != "noeviction":
        return Finding(
            "warn",
            "redis",
            f"{told}, which may throw running streams away ({policy})",
            "Set maxmemory-policy to noeviction: Hearth lets go of ended generations itself (keep_bytes).",
        )
    return Finding("ok", "redis", told)


async def _ask(address: Address) -> dict[str, Any]:
    async with asyncio.timeout(_ASK_S), address.client(connections=1, timeout_s=_ASK_S) as client:
        told = [await client.info(section) for section in ("server", "memory")]
    # A cluster answers for each of its servers.
    parts = [next(iter(part.values())) if isinstance(next(iter(part.values())), dict) else part for part in told]
    return {**parts[0], **parts[1]}

"""redis-py's clients as Hearth wants them: bounded, with deadlines, and sending nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode, ClusterPipeline
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError

from gateway.redis.address import Address


def client(address: Address, connections: int, timeout_s: float) -> Redis | RedisCluster:
    """See `Address.client`."""
    return _connect(address, connections, timeout_s, {"socket_timeout": timeout_s})


def listener(address: Address, timeout_s: float) -> Redis | RedisCluster:
    """See `Address.listener`."""
    # Two: while one is torn down, its successor is made.
    return _connect(address, 2, timeout_s, {"socket_timeout": None, "health_check_interval": timeout_s})


def _connect(address: Address, connections: int, timeout_s: float, more: dict[str, Any]) -> Redis | RedisCluster:
    options = {
        **_always(timeout_s),
        "username": address.username,
        "password": address.password,
        "client_name": "hearth",
        **more,
    }
    match address.kind:
        case "cluster":
            return _Cluster(address, connections, timeout_s, options | _tls(address))
        case "sentinel":
            return _master(address, connections, timeout_s, options | _tls(address))
        case "single":
            return Redis.from_pool(
                BlockingConnectionPool(
                    max_connections=connections, timeout=timeout_s, db=address.db, **options, **_place(address)
                )
            )


def _always(timeout_s: float) -> dict[str, Any]:
    return {
        "socket_connect_timeout": timeout_s,
        # An append that timed out may have been done: who sends it again must know how to tell.
        "retry": Retry(NoBackoff(), 0),
        # Its replies are the smaller ones, and nothing here wants what the third version added.
        "protocol": 2,
        # Else two more commands with each connection, which servers before 7.2 refuse.
        "driver_info": None,
        "decode_responses": False,
    }


def _place(address: Address) -> dict[str, Any]:
    if address.path is not None:
        return {"connection_class": UnixDomainSocketConnection, "path": address.path}
    [(host, port)] = address.hosts
    options = {"host": host, "port": port, "socket_keepalive": True}
    if address.tls:
        return {"connection_class": SSLConnection, **options, **_files(address)}
    return {"connection_class": Connection, **options}


def _tls(address: Address) -> dict[str, Any]:
    return {"socket_keepalive": True, **({"ssl": True, **_files(address)} if address.tls else {})}


def _files(address: Address) -> dict[str, Any]:
    return {name: value for name, value in address.options.items() if name.startswith("ssl_")}


def _master(address: Address, connections: int, timeout_s: float, options: dict[str, Any]) -> Redis:
    sentinels = {
        **_always(timeout_s),
        **_tls(address),
        "socket_timeout": timeout_s,
        "username": address.options.get("sentinel_username"),
        "password": address.options.get("sentinel_password"),
    }
    assert address.service is not None
    master: Redis = Sentinel(address.hosts, sentinel_kwargs=sentinels).master_for(
        address.service,
        connection_pool_class=_MasterPool,
        max_connections=connections,
        timeout=timeout_s,
        db=address.db,
        **options,
    )
    return master


class _MasterPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server is the master when they are made; a burst waits. Owns its links to Sentinel."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


_CLUSTERED: Final = 4
"""Connections to each server of a Cluster: redis-py loses some where many are opened at one moment. They are taken in
turn, so that few do for a crowd."""


class _Cluster(RedisCluster):
    """A burst waits for its turn: redis-py would refuse what exceeds a server's connections."""

    def __init__(self, address: Address, connections: int, timeout_s: float, options: dict[str, Any]) -> None:
        connections = min(connections, _CLUSTERED)
        super().__init__(
            startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
            # One for each command and one for each pipeline; and some that are still being closed.
            max_connections=2 * connections + 2,
            **options,
        )
        self._commands = _Turns(connections, timeout_s)
        # Turns of their own: a pipeline sends what was moved to another server as single commands.
        self.pipelines = _Turns(connections, timeout_s)

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        async with self._commands:
            return await super().execute_command(*args, **kwargs)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        return _Pipeline(self, transaction)  # type: ignore[abstract]  # redis-py's own lacks it too


class _Pipeline(ClusterPipeline):
    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        assert isinstance(self.cluster_client, _Cluster)
        async with self.cluster_client.pipelines:
            return await super().execute(raise_on_error, allow_redirections)


class _Turns:
    """So many at once; the others wait, and none for ever."""

    def __init__(self, count: int, patience_s: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._patience_s = patience_s

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._free.acquire()
        except TimeoutError:
            raise ConnectionError("No connection available.") from None

    async def __aexit__(self, *_: object) -> None:
        self._free.release()

"""Several worker processes as one server: who starts them, keeps the engines for all of them, and ends them.

The supervisor answers no connection and runs no generation, so that nothing a caller sends can harm it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engines import registry
from engines.pool import Pool
from engines.seat import Place, Seat
from engines.vllm.engine import VllmEngine
from engines.vllm.sharing import Broker
from gateway.listening import listen
from gateway.log.base import new_epoch
from gateway.post import Orders, Post
from gateway.redis.local import LocalRedis, LocalRedisError
from gateway.settings import Settings, SettingsError, pack
from gateway.watcher import Watcher

_MARGIN_S: Final = 15.0
"""What closing connections may take after the drain."""
_HURRY_S: Final = 3.0
_COUNT_S: Final = 1.0
_LOOK_S: Final = 0.25

_log = logging.getLogger(__name__)


class Supervisor:
    """Owns the workers, and the engines that they share."""

    def __init__(
        self,
        settings: Settings,
        listening: socket.socket,
        metrics: str,
        watcher: Watcher,
        redis: LocalRedis | None = None,
    ) -> None:
        self._redis = redis
        sources = [registry.parse(written) for written in settings.models]
        built = registry.build(sources, upstreams=settings.upstreams, keep_vllm=settings.keep_vllm)
        engines = {place.id: place.engine for place in built if isinstance(place.engine, VllmEngine)}
        self._models = list(dict.fromkeys(source.name for source in sources))
        # Each by its own name: which of them a prompt goes to is chosen in the workers.
        places = [Place(id, id, engine) for id, engine in engines.items()]
        self._pool = Pool(places, time.monotonic, settings.boot_deadline_s)
        self._broker = Broker(self._pool, engines, time.monotonic)
        self._watcher = watcher
        self._drain_s = settings.drain_s
        self._port = int(listening.getsockname()[1])
        self._serving = asyncio.Event()
        self._ending = asyncio.Event()
        self._hurry = asyncio.Event()
        self._gave_up = False
        orders = Orders(listening, metrics, pack(settings), new_epoch(), None if redis is None else redis.url)
        self._posts = [
            Post(number, orders, self._broker, self._serving, time.monotonic) for number in range(settings.workers)
        ]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def models(self) -> Sequence[str]:
        """What it serves."""
        return self._models

    @property
    def seats(self) -> Mapping[str, Seat]:
        """The models that the workers share; scripted ones live in each worker."""
        return self._pool.seats

    def give_up(self) -> None:
        """End it, with nothing to be said of answers."""
        self._gave_up = True
        self._ending.set()

    async def run(self) -> None:
        """Serve until a signal ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        self._broker.begin()
        telling = asyncio.create_task(self._tell(), name="tell")
        reviving = asyncio.create_task(self._keep_redis(), name="redis")
        keeping = [asyncio.create_task(post.keep(), name=f"post {post.number}") for post in self._posts]
        await self._ending.wait()
        for task in (telling, reviving):
            task.cancel()
        await asyncio.wait([telling, reviving])
        await self._end_workers(keeping)
        await self._broker.close()
        await self._pool.close()
        await self._watcher.stopped()

    def _end(self) -> None:
        if not self._ending.is_set():
            self._ending.set()
            return
        self._hurry.set()
        for post in self._posts:
            post.end()

    async def _keep_redis(self) -> None:
        """Start the local Redis again whenever it ends by itself; the workers give it back what they have."""
        while self._redis is not None:
            await asyncio.sleep(_LOOK_S)
            try:
                # It blocks for some hundredths of a second, and here is nobody to wait for them: it has to be done in
                # this thread, with which Redis would end.
                if self._redis.revive():
                    _log.warning("The local Redis ended by itself, and was started again.")
            except LocalRedisError as error:
                _log.error("%s", error)

    async def _tell(self) -> None:
        await self._serving.wait()
        self._watcher.listening(self)

    async def _end_workers(self, keeping: Sequence[asyncio.Task[None]]) -> None:
        """Have them drain, all at once; end those that take too long."""
        counts = [post.draining for post in self._posts if post.draining is not None]
        for post in self._posts:
            post.end()
        gone: asyncio.Future[Any] = asyncio.gather(*keeping)
        if not self._gave_up:
            if counts:
                await asyncio.wait(counts, timeout=_COUNT_S)
            self._watcher.draining(sum(count.result() for count in counts if count.done()))
        hurry: asyncio.Future[Any] = asyncio.create_task(self._hurry.wait(), name="hurry")
        await asyncio.wait([gone, hurry], timeout=self._drain_s + _MARGIN_S, return_when=asyncio.FIRST_COMPLETED)
        if self._hurry.is_set():
            await asyncio.wait([gone], timeout=_HURRY_S)
        hurry.cancel()
        for post in self._posts:
            post.kill()
        await gone


def serve(settings: Settings, watcher: Watcher) -> None:
    """Listen, and run until a signal ends it. Raises SettingsError, and EngineError `bad_model_source`."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(listen(settings.host, settings.port))
        metrics = stack.enter_context(tempfile.TemporaryDirectory(prefix="hearth-metrics-"))
        redis = _local_redis(stack) if settings.redis_url is None else None
        # Made in the loop, for it holds events of that loop.
        asyncio.run(_run(settings, opened, metrics, watcher, redis))


async def _run(
    settings: Settings, listening: socket.socket, metrics: str, watcher: Watcher, redis: LocalRedis | None
) -> None:
    await Supervisor(settings, listening, metrics, watcher, redis).run()


def _local_redis(stack: contextlib.ExitStack) -> LocalRedis:
    try:
        return stack.enter_context(LocalRedis())
    except LocalRedisError as error:
        raise SettingsError(f"Several workers need a Redis. {error}") from None

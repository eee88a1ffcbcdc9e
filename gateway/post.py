"""A worker's post: a process that answers connections, and another whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from engines.vllm.sharing import Broker
from gateway.control import Begin, Draining, Serving, ToSupervisor, at_supervisor

_SOUND_S: Final = 10.0
"""A worker that lived for less was not sound."""
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0

_log = logging.getLogger(__name__)


class Orders(NamedTuple):
    """What every worker is given."""

    listening: socket.socket
    """Shared by all: whoever is free takes the next connection, and one that nobody took yet outlives any worker."""
    metrics: str
    """The folder in which they count together."""
    settings: bytes
    server: str
    """What the workers together are called: no other server has that name."""
    redis: str | None = None
    """The Redis that was started for the workers; None where the settings name one."""


class Post:
    """One place among the workers."""

    def __init__(
        self, number: int, orders: Orders, broker: Broker, serving: asyncio.Event, clock: Callable[[], float]
    ) -> None:
        self.number = number
        self.draining: asyncio.Future[int] | None = None
        """How many generations its worker waits for, once it was asked to end; None while none serves."""
        self._orders = orders
        self._broker = broker
        self._serving = serving
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._ending = asyncio.Event()

    async def keep(self) -> None:
        """Have a worker here until `end` was called and the last one is gone."""
        pause = 0.0
        while not self._ending.is_set():
            began = self._clock()
            how = await self._fill()
            if self._ending.is_set():
                return
            pause = next_pause(pause, self._clock() - began)
            _log.warning("worker %d %s; another one takes its place in %g s", self.number, how, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)

    def end(self) -> None:
        """Ask the worker to end; asked twice, it does not wait for its generations."""
        self._ending.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            # Not by the process's own method, which may take its exit status from asyncio (before Python 3.12).
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _fill(self) -> str:
        """Start a worker and stay with it to its end; how that was."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                fds = (theirs.fileno(), self._orders.listening.fileno())
                process = self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "gateway.worker", *map(str, fds), self._orders.metrics),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=fds,
                    # Ctrl-C in a terminal reaches all of its session: the supervisor decides when workers end.
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            return f"could not be started: {error.strerror}"
        if self._ending.is_set():
            self.end()
        channel = at_supervisor(self._hear, lambda: None)
        await asyncio.get_running_loop().create_unix_connection(lambda: channel, sock=ours)
        self._broker.came(self.number, channel.say)
        channel.say(Begin(self._orders.settings, self._orders.server, self._orders.redis))
        try:
            return _ended(await process.wait())
        finally:
            channel.close()
            self._broker.gone(self.number)
            self._bury(process.pid)

    def _bury(self, pid: int) -> None:
        from prometheus_client import multiprocess

        self._process = None
        if self.draining is not None and not self.draining.done():
            self.draining.set_result(0)
        self.draining = None
        # What it counted stays in the sums; what it only showed goes with it.
        multiprocess.mark_process_dead(pid, self._orders.metrics)  # type: ignore[no-untyped-call]

    def _hear(self, message: ToSupervisor) -> None:
        match message:
            case Serving():
                self.draining = asyncio.get_running_loop().create_future()
                self._serving.set()
            case Draining():
                if self.draining is not None and not self.draining.done():
                    self.draining.set_result(message.running)
            case _:
                self._broker.hear(self.number, message)


def next_pause(last: float, lived: float) -> float:
    """Seconds until the next worker, after a pause of `last` and a life of `lived`: at once, unless it keeps dying."""
    if lived >= _SOUND_S:
        return 0.0
    return min(max(2 * last, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)


def _ended(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"

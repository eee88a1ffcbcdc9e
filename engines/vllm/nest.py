"""Our side of the nursery: starts it, has hosts born and killed, and learns of their ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from engines.errors import EngineError


class Nest:
    """The nursery, shared by the engines of one server: begun by the first boot, ended when the last engine closes.

    One that is not kept also ends when it holds no host, and the next boot begins it again.
    """

    def __init__(self, keep: bool = True) -> None:
        self._keep = keep
        self._users = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ready: asyncio.Future[None] | None = None
        self._birth: asyncio.Future[int] | None = None
        self._gone: dict[int, asyncio.Future[int]] = {}

    def join(self) -> None:
        """One more engine uses it."""
        self._users += 1

    async def leave(self) -> None:
        """One engine less; the last one ends the nursery, and with it whatever it still holds."""
        self._users -= 1
        if self._users == 0:
            await self._end()

    async def start(self) -> None:
        """Have the nursery up, vLLM imported. Raises EngineError `boot_failed`."""
        async with self._starting:
            await self._start()

    async def _start(self) -> None:
        if self._process is None or self._process.returncode is not None:
            await self._end()
            self._ready = asyncio.get_running_loop().create_future()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "engines.vllm.nursery",
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Ctrl-C in a terminal reaches all of its session: the server decides when engines end.
                start_new_session=True,
            )
            self._reading = asyncio.create_task(self._read(self._process), name="nursery")
        assert self._ready is not None
        await asyncio.shield(self._ready)

    async def bear(self, arguments: Mapping[str, Any]) -> tuple[int, asyncio.Future[int]]:
        """Fork a host: its process id, and a future of its exit status. Raises EngineError `boot_failed`."""
        async with self._starting:
            await self._start()
            self._birth = asyncio.get_running_loop().create_future()
            self._order(host=arguments)
            pid = await self._birth
        return pid, self._gone[pid]

    async def gone(self, pid: int) -> int:
        """Wait until a host has ended; its exit status."""
        return await asyncio.shield(self._gone[pid])

    async def rest(self) -> None:
        """An engine has parted from its host: a nursery that is not kept ends if that was the last one."""
        if self._keep or self._starting.locked():
            return
        async with self._starting:
            if all(gone.done() for gone in self._gone.values()):
                await self._end()

    def kill(self, pid: int) -> None:
        """End a host and all it has started, at once; harmless when it is gone."""
        if pid in self._gone and not self._gone[pid].done():
            self._order(kill=pid)

    def _order(self, **order: Any) -> None:
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            raise EngineError("boot_failed", "The process that holds vLLM's code has ended.")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None and self._ready is not None
        async for line in process.stdout:
            said = json.loads(line)
            if "ready" in said:
                self._ready.set_result(None)
            elif "born" in said:
                self._gone[said["born"]] = asyncio.get_running_loop().create_future()
                if self._birth is not None and not self._birth.done():
                    self._birth.set_result(said["born"])
            elif "gone" in said and not self._gone[said["gone"]].done():
                self._gone[said["gone"]].set_result(said["status"])
        status = await process.wait()
        error = EngineError("boot_failed", f"vLLM could not be imported (status {status}); `hearth doctor` says more.")
        for waited in (self._ready, self._birth):
            if waited is not None and not waited.done():
                waited.set_exception(error)
                # Nobody may be waiting any more, and that is no fault.
                waited.exception()
        for future in self._gone.values():
            if not future.done():
                future.set_result(-signal.SIGKILL)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if self._ready is not None and not self._ready.done():
            # Deep in its imports it hears nothing, and it holds nothing yet.
            process.kill()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
        if self._reading is not None:
            await asyncio.wait([self._reading])

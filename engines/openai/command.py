"""Commands that start and stop an upstream: programs, run without a shell, or `POST URL`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from engines.errors import EngineError

_KEPT: Final = 1000
"""Bytes that are kept of a program's output: the last ones."""
_LEAVE_S: Final = 10.0
"""How long a program may take to end after it was asked to."""
_READ_S: Final = 1.0
"""How long what it said last is waited for: a child of its own may keep its output open."""


class Program:
    """A program that was started here, in a session of its own. It may be the server itself, or begin one and end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said = b""
        self._reading = asyncio.create_task(self._read(), name=f"output of {process.pid}")

    @classmethod
    async def start(cls, words: Sequence[str]) -> Program:
        """Raises EngineError `boot_failed` where there is no such program."""
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError("boot_failed", f"{words[0]} cannot be run: {error.strerror}.") from error
        return cls(process)

    @property
    def status(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.returncode

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.status not in (None, 0)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.status is None

    async def ended(self) -> int:
        """Wait until it ends; its exit status."""
        return await self._process.wait()

    async def story(self) -> str:
        """How it ended, and what it said last: for those who run this server."""
        await asyncio.wait([self._reading], timeout=_READ_S)
        said = self._said.decode(errors="replace").strip()
        return f"it ended with {self.status}{f', after saying: {said}' if said else ''}"

    async def close(self) -> None:
        """End it if it still runs, and all that it began; what one began that ended well is left to run."""
        if self.runs:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    await self._process.wait()
            # What it began may be left, also where it went itself.
            self._signal(signal.SIGKILL)
            await self._process.wait()
        elif self.failed:
            self._signal(signal.SIGKILL)
        self._reading.cancel()
        await asyncio.wait([self._reading])

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while piece := await self._process.stdout.read(1 << 16):
            self._said = (self._said + piece)[-_KEPT:]


async def run(words: Sequence[str], seconds: float) -> str | None:
    """Run a program to its end; why that was no good one, None if it was."""
    try:
        program = await Program.start(words)
    except EngineError as error:
        return error.message
    try:
        async with asyncio.timeout(seconds):
            await program.ended()
        return f"{words[0]}: {await program.story()}" if program.failed else None
    except TimeoutError:
        return f"{words[0]} did not end in {seconds:.0f} s"
    finally:
        await program.close()

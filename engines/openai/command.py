"""Commands that start and stop an upstream: programs, run without a shell, or `POST URL`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from fcntl import F_SETFL, fcntl
from tempfile import TemporaryFile
from typing import BinaryIO, Final

from engines.errors import EngineError

_KEPT: Final = 1000
"""Bytes that are told of a program's output: the last ones."""
_MOST_OUTPUT: Final = 1 << 20
"""Bytes of it that lie on the disk: beyond that they are dropped."""
_LEAVE_S: Final = 10.0
"""How long a program may take to end after it was asked to."""
_LOOK_S: Final = 0.1
"""How often it is looked at whether it has ended."""

_log = logging.getLogger(__name__)


class Program:
    """A program that was started here, in a session of its own. It may be the server itself, or begin one and end.

    It can outlive this process: its output goes to a file without a name, as a pipe would break under it.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: BinaryIO) -> None:
        self._process = process
        self._output = output

    @classmethod
    def start(cls, words: Sequence[str]) -> Program:
        """Raises EngineError `boot_failed` where there is no such program."""
        output = TemporaryFile(buffering=0)  # noqa: SIM115 -- it is open as long as the program is known
        # It writes at the end, also when the file was cut short meanwhile.
        fcntl(output, F_SETFL, os.O_APPEND)
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            output.close()
            raise EngineError("boot_failed", f"{words[0]} cannot be run: {error.strerror}.") from error
        return cls(process, output)

    @property
    def status(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.poll()

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.status not in (None, 0)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.status is None

    async def ended(self) -> None:
        """Wait until it ends, and keep its output short meanwhile."""
        while self.runs:
            if os.fstat(self._output.fileno()).st_size > _MOST_OUTPUT:
                self._output.truncate(0)
            await asyncio.sleep(_LOOK_S)

    @property
    def last_words(self) -> str:
        """What it said last: for those who run this server, and nobody else."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), _KEPT, max(0, size - _KEPT)).decode(errors="replace").strip()

    async def close(self) -> None:
        """End it if it still runs, and all that it began; what one began that ended well is left to run."""
        if self.runs:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    await self.ended()
            # What it began may be left, also where it went itself.
            self._signal(signal.SIGKILL)
            await self.ended()
        elif self.failed:
            self._signal(signal.SIGKILL)
        self._output.close()

    def let_go(self) -> None:
        """Let it run on without this process."""
        self._output.close()
        if self.runs:
            # Nobody here waits for it any more, and its object is not to complain of that.
            self._process.returncode = 0

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


async def run(words: Sequence[str], seconds: float) -> str | None:
    """Run a program to its end; why that was no good one, None if it was. What it said goes into the log."""
    try:
        program = Program.start(words)
    except EngineError as error:
        return error.message
    try:
        async with asyncio.timeout(seconds):
            await program.ended()
        return tell(words, program) if program.failed else None
    except TimeoutError:
        return f"{words[0]} did not end in {seconds:.0f} s"
    finally:
        await program.close()


def tell(words: Sequence[str], program: Program) -> str:
    """How a program ended, for everybody; its last words go into the log alone."""
    _log.warning("%s ended with %s, after saying: %s", words[0], program.status, program.last_words)
    return f"{words[0]} ended with {program.status}; the server's log has its last words"

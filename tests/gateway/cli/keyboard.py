"""`hearth` as a person at a terminal meets it: keys go in, a screen comes out."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

CTRL_C: Final = "\x03"
CTRL_D: Final = "\x04"

# A terminal sends Ctrl-C to whom it controls, and it controls whoever takes it. Tests that run in the background of a
# shell have it ignored, and who is started by them inherits that.
_TAKE_THE_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "gateway", *sys.argv[1:]])
"""


class Terminal:
    """A running command and its screen."""

    def __init__(self, process: asyncio.subprocess.Process, keys: int) -> None:
        self._process = process
        self._keys = keys
        self._seen = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(keys, self._read)

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._keys, keys.encode())

    async def sees(self, text: str, seconds: float = 20.0) -> str:
        """Wait until that is on the screen after what was waited for before; all that came up to it."""
        try:
            async with asyncio.timeout(seconds):
                while text not in self._seen:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} does not come; there is {self._seen!r}") from None
        before, found, self._seen = self._seen.partition(text)
        return before + found

    async def sees_by(self, key: str, text: str) -> None:
        """Press a key until that is on the screen; see `ends_by` for why."""
        for _ in range(4):
            self.type(key)
            with suppress(AssertionError):
                await self.sees(text, 5)
                return
        raise AssertionError(f"{key!r} does not bring {text!r}")

    async def ends(self) -> int:
        """Wait until the command has ended; its exit status."""
        return await asyncio.wait_for(self._process.wait(), 20)

    async def ends_by(self, key: str) -> int:
        """Press a key until the command has ended; its exit status.

        Python misses a signal that comes just before it waits for keys, or for bytes. A person presses again, too.
        """
        for _ in range(4):
            self.type(key)
            with suppress(TimeoutError):
                return await asyncio.wait_for(self._process.wait(), 5)
        raise AssertionError(f"{key!r} does not end it")

    def _read(self) -> None:
        try:
            data = os.read(self._keys, 65536)
        except OSError:
            # The other end is closed: Linux tells it so.
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._keys)
        self._seen += data.decode(errors="replace")
        self._changed.set()


@asynccontextmanager
async def terminal(*words: str) -> AsyncIterator[Terminal]:
    """Run `hearth WORDS` on a terminal of its own."""
    keys, screen = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _TAKE_THE_TERMINAL,
        *words,
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(screen)
    try:
        yield Terminal(process, keys)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(keys)
        os.close(keys)


async def hearth(*words: str, typed: str | bytes = "") -> tuple[int, str, str]:
    """Run `hearth WORDS` with no terminal; its exit status, and what it wrote on each of its outputs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(typed.encode() if isinstance(typed, str) else typed), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()

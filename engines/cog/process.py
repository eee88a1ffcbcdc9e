"""The process that runs a predictor: Cog's HTTP server on this machine, and all that it begins."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from engines.errors import EngineError

_LEASH: Final = Path(__file__).with_name("leash.py")
_GRACE_S: Final = 5.0
"""How long a program may take to end after it was asked to."""
_MORE_S: Final = 5.0
"""How much longer it may take until all that it began is killed."""
_HEARD_S: Final = 1.0
"""How long what it said may take to be read when it has ended."""
_KEPT: Final = 40
"""Lines that are told of what it said: the last ones."""
_LONGEST_LINE: Final = 1 << 20


class Program:
    """A program on a leash, and what it says. Whoever starts one calls `close`."""

    def __init__(
        self, process: asyncio.subprocess.Process, hear: Callable[[str], None], read: Callable[[str], None]
    ) -> None:
        self._process = process
        self._hear = hear
        self._read = read
        self._said: deque[str] = deque(maxlen=_KEPT)
        self._listening = asyncio.create_task(self._listen(), name=f"output of {process.pid}")

    @classmethod
    async def start(
        cls,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        hear: Callable[[str], None] = lambda line: None,
        read: Callable[[str], None] = lambda line: None,
    ) -> Program:
        """Run it in that folder and environment alone. Raises EngineError `boot_failed`.

        `hear` is told each line that is of use to people, `read` every line as it came.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LEASH), str(_GRACE_S), *words),
                cwd=folder,
                env=dict(environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LONGEST_LINE,
                # What a terminal sends to this server's group is no business of the leash.
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError("boot_failed", f"{words[0]} cannot be run: {error.strerror}.") from error
        return cls(process, hear, read)

    @property
    def pid(self) -> int:
        """Of the leash; the program is its child."""
        return self._process.pid

    async def ended(self) -> int:
        """Wait until it has ended and what it said is heard; its exit status."""
        status = await self._process.wait()
        await asyncio.wait([self._listening], timeout=_HEARD_S)
        return status

    @property
    def last_words(self) -> str:
        """What it said last, in lines."""
        return "\n".join(self._said)

    async def close(self) -> None:
        """End it and all that it began; harmless on one that ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_GRACE_S + _MORE_S):
                await self.ended()
        except TimeoutError:
            self._process.kill()
        self._listening.cancel()
        await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:
                # Longer than any line that somebody reads: what was read of it is dropped.
                continue
            if not line:
                return
            written = line.decode(errors="replace").rstrip()
            self._read(written)
            if told := spoken(written):
                self._said.append(told)
                self._hear(told)


def spoken(line: str) -> str:
    """What a line says that is of use to whoever runs this server.

    Cog's server writes JSON. What it tells of itself is of no use; what a prediction prints is for its caller alone.
    """
    with suppress(msgspec.DecodeError):
        match msgspec.json.decode(line):
            case {"fields": {"message": str(message)}, "target": str(target), **rest}:
                theirs = target in ("coglet::setup", "coglet::user") or rest.get("level") == "ERROR"
                return message if theirs else ""
    return line


def free_port() -> int:
    """A port of this machine that nobody listens at just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number: Any = taken.getsockname()[1]
        return int(number)

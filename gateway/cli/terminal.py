"""Lines on a terminal or in a log, and the one error of the command line."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TextIO


class Trouble(Exception):
    """A command cannot go on. The message is one clear sentence, and what to do; `status` is the exit status."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


class Screen:
    """Lines that stay and, on a terminal alone, a last one that changes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._status = ""
        self.is_terminal = stream.isatty()

    def line(self, text: str) -> None:
        """Write a line that stays, in place of the one that changes."""
        self.status("")
        self._write(text + "\n")

    def status(self, text: str) -> None:
        """Show this in the line that changes; an empty text takes it away."""
        if self.is_terminal and text != self._status:
            self._status = text
            # One column is left free: a full line would wrap, and a wrapped one is not erased as a whole.
            self._write("\r\x1b[K" + self.dim(text[: shutil.get_terminal_size().columns - 1]))

    def bold(self, text: str) -> str:
        """Stronger, on a terminal."""
        return f"\x1b[1m{text}\x1b[0m" if self.is_terminal else text

    def dim(self, text: str) -> str:
        """Fainter, on a terminal."""
        return f"\x1b[2m{text}\x1b[0m" if self.is_terminal and text else text

    def _write(self, text: str) -> None:
        # Whoever read this may have gone: no reason to stop a server.
        with suppress(BrokenPipeError):
            self._stream.write(text)
            self._stream.flush()

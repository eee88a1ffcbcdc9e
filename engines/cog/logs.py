"""What a program prints, in lines. Pure."""

from __future__ import annotations

import re


class Lines:
    """A progress bar writes over its line with `\\r`; where lines are kept, that begins a new one.

    Replicate's clients find a prediction's progress in the last line of its logs.
    """

    def __init__(self) -> None:
        self._begun = False
        """Whether the last line has not ended."""

    def read(self, printed: str) -> str:
        """The same text with `\\n` as its only line end."""
        before = "." if self._begun else "\n"
        lined = re.sub(r"(?<!\n)\r+", "\n", before + printed.replace("\r\n", "\n")).replace("\r", "")[1:]
        if lined:
            self._begun = not lined.endswith("\n")
        return lined

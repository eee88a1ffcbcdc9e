"""`hearth loadtest`: load on this machine's own servers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module


def main(words: Sequence[str]) -> int:
    """Hand the words to the load test; the exit status."""
    # Named and not imported: it knows of the gateway what the network shows, and the gateway nothing of it.
    command = import_module("loadtest.__main__")
    return int(command.main(words, "hearth loadtest"))

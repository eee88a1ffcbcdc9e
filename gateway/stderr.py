"""What the processes of a server log, and how: lines on standard error."""

from __future__ import annotations

import logging
from typing import Final

_TALKATIVE: Final = ("httpx", "httpcore", "aiohttp")
"""Clients that tell each call with its address, which may name what is asked for, or whose it is."""


def configure(level: str) -> None:
    """Log from that level up."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    if level == "info":
        # What uvicorn tells at this level is told better by the command line.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

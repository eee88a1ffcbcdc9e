"""What the processes of a server log, and how: lines on standard error."""

from __future__ import annotations

import logging


def configure(level: str) -> None:
    """Log from that level up."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
    if level == "info":
        # What uvicorn tells at this level is told better by the command line.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

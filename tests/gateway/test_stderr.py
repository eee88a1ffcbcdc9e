"""What a server logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from gateway import stderr

CLIENTS = ("httpx", "httpcore", "aiohttp")


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """Put back what a test changes."""
    loggers = [logging.getLogger(name) for name in (*CLIENTS, "uvicorn")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_tells_of_trouble_and_not_of_each_call(level: str, client: str) -> None:
    logging.getLogger(client).setLevel(logging.NOTSET)
    stderr.configure(level)
    # Each of its parts has a logger under that name.
    part = logging.getLogger(f"{client}.part")
    assert not part.isEnabledFor(logging.INFO)
    assert part.isEnabledFor(logging.WARNING)

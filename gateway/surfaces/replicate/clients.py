"""What of a prediction each client can take."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from gateway.log.local import Log
from gateway.predictions.record import Record
from gateway.predictions.showing import Showing


async def shown(showing: Showing, record: Record, log: Log | None, request: Request) -> dict[str, Any]:
    """A prediction for whoever asks."""
    inlined = await showing.inlined(log) if record.address.startswith("http:") and _wants_data(request) else {}
    return showing.shown(record, log, modern=modern(request), inlined=inlined)


def _wants_data(request: Request) -> bool:
    """Whether the caller's client makes files of `https:` and `data:` URLs alone, and leaves `http:` ones to be text.

    That of Python 2 does in `run`, which waits for its create call; in `use`, which does not, it reads `http:` ones.
    """
    agent = request.headers.get("user-agent", "")
    return agent.startswith(("replicate-python/1.", "replicate-javascript/")) or (
        agent.startswith("Replicate/Python") and "prefer" in request.headers
    )


def modern(request: Request) -> bool:
    """Whether the caller knows the status `aborted`: the Python clients before version 2, and Node's, do not."""
    agent = request.headers.get("user-agent", "")
    return not agent.startswith(("replicate-python/", "replicate-javascript/"))

"""How to ask, how to read a refusal, and what a WebSocket frame looks like. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from hearth_client.errors import HearthError, told

MAX_FRAME = 16 << 20
JSON: Mapping[str, str] = MappingProxyType({"accept": "application/json"})
PING = '{"t":"ping"}'


def auth(api_key: str | None) -> dict[str, str]:
    """Return the headers that say who asks."""
    return {"authorization": f"Bearer {api_key}"} if api_key else {}


def stream_path(generation: str) -> str:
    """Return the path of a generation."""
    return f"/v1/streams/{quote(generation, safe='')}"


def start_headers(idempotency_key: str | None) -> dict[str, str]:
    """Return the headers that start a generation, once for each key."""
    return {**JSON, **({} if idempotency_key is None else {"idempotency-key": idempotency_key})}


def watch_headers(after: str | None) -> dict[str, str]:
    """Return the headers that ask for events behind a position."""
    # A compressed stream arrives in lumps: proxies hold tokens back until a block is full.
    asked = {"accept": "text/event-stream", "accept-encoding": "identity", "cache-control": "no-store"}
    return asked if after is None else asked | {"last-event-id": after}


def socket_url(base_url: str) -> str:
    """Return the WebSocket address beside an HTTP one."""
    return "ws" + base_url.rstrip("/").removeprefix("http") + "/v1/ws"


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> HearthError:
    """Return the error that an unhappy HTTP answer tells."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {"message": f"the server answered {status}"}
    inner = answer.get("error")
    facts = answer | inner if isinstance(inner, dict) else answer
    wait = headers.get("retry-after", "")
    return told(facts, status=status, retry_after=float(wait) if wait.isdigit() else None, code=f"http_{status}")


def create(lane: str, request: Mapping[str, Any], idempotency_key: str | None) -> str:
    """Return the frame that starts a generation which outlives its socket."""
    once = {} if idempotency_key is None else {"idempotency_key": idempotency_key}
    return _frame("create", lane, request=request, resumable=True, **once)


def attach(lane: str, generation: str, after: str | None) -> str:
    """Return the frame that follows a generation."""
    position = {} if after is None else {"after": after}
    return _frame("attach", lane, generation=generation, **position)


def cancel(lane: str) -> str:
    """Return the frame that stops a lane's generation."""
    return _frame("cancel", lane)


def detach(lane: str) -> str:
    """Return the frame that leaves a lane's generation running."""
    return _frame("detach", lane)


def _frame(name: str, lane: str, **fields: Any) -> str:
    return json.dumps({"t": name, "id": lane, **fields}, separators=(",", ":"))

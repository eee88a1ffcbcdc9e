"""The floor under an idle reader: uvicorn with Hearth's choice of protocols, and nothing behind them.

Run as `python -m`, it serves a port: an event stream that says one thing and no more, and a socket that does the same.
"""

from __future__ import annotations

import argparse
from typing import Any, Final

import uvicorn

_HEADERS: Final = [(b"content-type", b"text/event-stream")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Say one thing, and wait for the other side to leave."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        ready = scope["path"] == "/readyz"
        await send({"type": "http.response.body", "body": b": open\n\n", "more_body": not ready})
        while (await receive())["type"] != "http.disconnect":
            pass
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "{}"})
        await receive()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    uvicorn.run(
        app,
        port=given.port,
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        server_header=False,
        lifespan="off",
        log_level="warning",
    )

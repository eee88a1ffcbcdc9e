"""A file as an HTTP answer, never as a page of this server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import HearthError
from gateway.files.file import File
from gateway.files.names import is_shown
from gateway.files.ranges import Span, Unsatisfiable, span
from gateway.files.store import Files
from gateway.surfaces.presence import ClientLeft, present
from gateway.surfaces.replicate.preflight import ANYWHERE

_STALL_S: Final = 60.0
_DRAWN: Final = "img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
_SAFE: Final = {
    **ANYWHERE,
    "accept-ranges": "bytes",
    # Others wrote it: a browser takes it for nothing but what it says it is, and runs nothing of it.
    "x-content-type-options": "nosniff",
    "content-security-policy": f"sandbox; default-src 'none'; {_DRAWN}",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
}


def answer(request: Request, files: Files, file: File, left_s: float) -> Response:
    """The file, or the part of it that is asked for; it may be kept by a browser for `left_s`."""
    etag = f'"{file.md5}"'
    headers = {
        **_SAFE,
        "etag": etag,
        "cache-control": f"private, max-age={max(0, int(left_s))}",
        "content-disposition": _disposition(file),
    }
    if etag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    condition = request.headers.get("if-range")
    try:
        asked = span(request.headers.get("range"), file.size) if condition in (None, etag) else None
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{file.size}"})
    found = asked or Span(0, file.size)
    headers |= {"content-type": file.content_type, "content-length": str(found.end - found.start)}
    if asked is not None:
        headers["content-range"] = f"bytes {found.start}-{found.end - 1}/{file.size}"
    status = 200 if asked is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return _Download(files.read(file, *found), found.end - found.start, status, headers)


class _Download(Response):
    """So many bytes, as fast as they are taken. Whoever takes none for a while is cut off, as are all when the store
    has no more of them.
    """

    def __init__(self, pieces: AsyncGenerator[bytes], size: int, status: int, headers: dict[str, str]) -> None:
        super().__init__(None, status, headers)
        self._pieces = pieces
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        abort: Callable[[], None] = scope.get("hearth.abort", lambda: None)
        with suppress(ClientLeft):
            async with aclosing(self._pieces), present(receive):
                try:
                    await self._send(send)
                except (HearthError, TimeoutError):
                    abort()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        left = self._size
        while True:
            piece = await anext(self._pieces, b"")
            left -= len(piece)
            if left and not piece:
                raise HearthError("unknown_file")
            async with asyncio.timeout(_STALL_S):
                # The end is said with the last byte: whoever has that may ask for something else at once.
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            if left <= 0:
                return


def _tags(written: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in written.split(",")]


def _disposition(file: File) -> str:
    how = "inline" if is_shown(file.content_type) else "attachment"
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in file.name)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"

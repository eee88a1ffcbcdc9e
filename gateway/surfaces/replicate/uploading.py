"""The body of an upload on its way into the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from starlette.requests import ClientDisconnect, Request

from gateway.errors import HearthError
from gateway.files.file import File, mark
from gateway.files.multipart import Form
from gateway.files.store import Facts, Files
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.caller import caller
from gateway.surfaces.origin import foreign
from gateway.surfaces.presence import ClientLeft

_SLOWEST: Final = 64 << 10
"""Bytes a second that an upload must bring, over all of it."""
_BESIDE: Final = 1 << 20
"""What a form may have around its file, in bytes."""
_LINGER_S: Final = 5.0
_AT_ONCE: Final = 64
"""Uploads of one process; each holds some parts of its file."""


class Uploads:
    """Takes files of `limits.max_bytes` at most; `limits.deadline_s` is how long nothing may come."""

    def __init__(self, files: Files, limits: BodyLimits) -> None:
        self._files = files
        self._limits = limits
        self._running = 0

    async def take(self, request: Request) -> File:
        """The file, once all of it is kept.

        Raises HearthError `file_too_large`, `invalid_request`, `request_timeout`, `overloaded`, `foreign_origin`;
        ClientLeft. Then nothing of it is kept.
        """
        if foreign(request):
            raise HearthError("foreign_origin")
        form, body = Form(request.headers.get("content-type", "")), request.stream()
        if self._running >= _AT_ONCE:
            raise HearthError("overloaded")
        self._running += 1
        try:
            return await self._files.keep(
                mark(caller(request).namespace),
                "upload",
                self._content(body, _length(request), form),
                self._limits.max_bytes,
                lambda: _facts(form),
            )
        except HearthError as error:
            if error.code == "file_too_large":
                await _let_finish(body)
            raise
        finally:
            self._running -= 1

    async def _content(self, body: AsyncGenerator[bytes], length: int, form: Form) -> AsyncGenerator[bytes]:
        """The bytes of the file; the fields around it are left in the form."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._limits.deadline_s + self._limits.max_bytes / _SLOWEST
        came = 0
        if length > self._limits.max_bytes + _BESIDE:
            raise self._too_large()
        while True:
            try:
                async with asyncio.timeout_at(min(until, clock() + self._limits.deadline_s)):
                    data = await anext(body, None)
            except TimeoutError:
                raise HearthError("request_timeout") from None
            except ClientDisconnect:
                raise ClientLeft from None
            if data is None:
                break
            came += len(data)
            if came > self._limits.max_bytes + _BESIDE:
                raise self._too_large()
            for piece in form.feed(data):
                yield piece
        form.close()

    def _too_large(self) -> HearthError:
        return HearthError("file_too_large", f"A file may have {self._limits.max_bytes} bytes at most.")


def _length(request: Request) -> int:
    told = request.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdecimal() else 0


async def _let_finish(body: AsyncGenerator[bytes]) -> None:
    """Let the client send the rest, for a while: most read no answer before, and a closed connection tells nothing."""
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_LINGER_S):
            async for _ in body:
                pass


def _facts(form: Form) -> Facts:
    name = form.fields.get("filename") or form.filename or "file"
    return Facts(name, form.fields.get("type") or form.content_type, form.metadata())

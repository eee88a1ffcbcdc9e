"""The body of an upload on its way into the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Final

from starlette.requests import ClientDisconnect, Request

from gateway.errors import HearthError
from gateway.files.file import File, mark
from gateway.files.multipart import Form
from gateway.files.store import Facts, Files
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.caller import caller
from gateway.surfaces.origin import foreign
from gateway.surfaces.presence import ClientLeft, present
from gateway.surfaces.replicate.read_ahead import Ahead
from gateway.surfaces.replicate.upload_turns import Turns

_SLOWEST: Final = 64 << 10
"""Bytes a second that an upload must bring, over all of it."""
_STEP: Final = 16 << 10
_STEP_S: Final = 10.0
"""Within so many seconds so many bytes more must come: a slow upload keeps its turn from others."""
_BESIDE: Final = 1 << 20
"""What a form may have around its file, in bytes."""
_LINGER_S: Final = 5.0


class Uploads:
    """Takes files of `limits.max_bytes` at most; `limits.deadline_s` is how long nothing may come."""

    def __init__(self, files: Files, limits: BodyLimits) -> None:
        self._files = files
        self._limits = limits
        # Each upload holds some parts of its file.
        self._turns = Turns()

    async def take(self, request: Request) -> File:
        """The file, once all of it is kept.

        Raises HearthError `file_too_large`, `invalid_request`, `request_timeout`, `overloaded`, `foreign_origin`;
        ClientLeft. Then nothing of it is kept.
        """
        if foreign(request):
            raise HearthError("foreign_origin")
        form, key = Form(request.headers.get("content-type", "")), caller(request)
        ahead = Ahead(request.receive)
        body = Request(request.scope, ahead.receive).stream()
        try:
            async with AsyncExitStack() as held:
                async with present(ahead.look):
                    await held.enter_async_context(self._turns.turn(key.id))
                content = await held.enter_async_context(aclosing(self._content(body, _length(request), form)))
                owner, most = mark(key.namespace), self._limits.max_bytes
                return await self._files.keep(owner, "upload", content, most, lambda: _facts(form))
        except HearthError as error:
            if error.code in ("file_too_large", "overloaded"):
                await _let_finish(body)
            raise
        finally:
            await body.aclose()

    async def _content(self, body: AsyncGenerator[bytes], length: int, form: Form) -> AsyncGenerator[bytes]:
        """The bytes of the file; the fields around it are left in the form."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._limits.deadline_s + self._limits.max_bytes / _SLOWEST
        came = step = 0
        waited = 0.0
        if length > self._limits.max_bytes + _BESIDE:
            raise self._too_large()
        while True:
            began = clock()
            # Only what the client takes counts: the store may be slow, too.
            patience = min(self._limits.deadline_s, _STEP_S - waited) if came else self._limits.deadline_s
            try:
                async with asyncio.timeout_at(min(until, began + patience)):
                    data = await anext(body, None)
            except TimeoutError:
                raise HearthError("request_timeout") from None
            except ClientDisconnect:
                raise ClientLeft from None
            if data is None:
                break
            waited = waited + clock() - began if came else 0.0
            came, step = came + len(data), step + len(data)
            if step >= _STEP:
                step, waited = 0, 0.0
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

"""/files: what callers give to models, and what models gave them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engines.base import Kept
from gateway.errors import HearthError
from gateway.files import links
from gateway.files.file import File, is_id, mark, parted
from gateway.files.links import Link
from gateway.files.store import Files
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.caller import caller
from gateway.surfaces.origin import foreign
from gateway.surfaces.replicate.downloading import answer
from gateway.surfaces.replicate.preflight import preflight
from gateway.surfaces.replicate.uploading import Uploads
from gateway.wire.replicate import objects, pages

_SIGNED: Final = re.compile(r"/replicate(?:/v1){0,2}/files/[^/]+/[^/]+(?:/[^/]+)?")
_DOWNLOAD: Final = "/files/{id}/download"
_NAMED: Final = "/files/{id}/{link}/{name}"
_CURSOR: Final = re.compile(r"(older|newer)-(.+)")


def is_signed(path: str) -> bool:
    """Whether a signature in the address stands for the key: a file's bytes are read so, and nothing else."""
    return _SIGNED.fullmatch(path) is not None


def address_of(kept: Kept, address: str, files: Files, seal: bytes) -> str:
    """Where whoever is told this may fetch a model's file; the same each time, and ending in the file's name."""
    names = parted(kept)
    assert names is not None, kept.id
    return links.named(address, _link(*names, files), seal, kept.name)


def routes(
    files: Files,
    seal: Callable[[], Awaitable[bytes]],
    limits: BodyLimits,
    now: Callable[[], float],
    address: Callable[[Request], str],
) -> list[Route]:
    """`/files` and below, under whatever prefix.

    `limits` are those of an upload, `now` is in unix seconds, and `address` is what a caller's addresses begin with.
    """
    uploads = Uploads(files, limits)

    async def create(request: Request) -> Response:
        file = await uploads.take(request)
        told = _show(file, files, address(request), await seal())
        return JSONResponse(told, 201, {"location": told["urls"]["get"]})

    async def list_all(request: Request) -> Response:
        asked = request.query_params.get("cursor")
        cursor = _CURSOR.fullmatch(asked) if asked else None
        if asked and (cursor is None or not is_id(cursor[2])):
            raise HearthError("invalid_request", "This cursor is none that a list gave.", parameter="cursor")
        here, key = address(request), await seal()
        side, beside = cursor.groups() if cursor else ("older", None)
        page = await files.page(mark(caller(request).namespace), beside, backwards=side == "newer")
        newer = _page(here, "newer", page.files[0]) if page.newer else None
        older = _page(here, "older", page.files[-1]) if page.older else None
        return JSONResponse(pages.page(newer, older, [_show(file, files, here, key) for file in page.files]))

    async def get(request: Request) -> Response:
        return JSONResponse(_show(await own(request), files, address(request), await seal()))

    async def delete(request: Request) -> Response:
        if foreign(request):
            raise HearthError("foreign_origin")
        await files.remove(await own(request))
        return Response(status_code=204)

    async def own(request: Request) -> File:
        return await files.find(mark(caller(request).namespace), request.path_params["id"])

    async def download(request: Request) -> Response:
        asked = request.query_params
        return await fetch(request, asked.get("owner", ""), asked.get("expiry", ""), asked.get("signature", ""))

    async def named(request: Request) -> Response:
        owner, expiry, signature = (*request.path_params["link"].split(".", 2), "", "", "")[:3]
        return await fetch(request, owner, expiry, signature)

    async def fetch(request: Request, owner: str, expiry: str, signature: str) -> Response:
        link = links.check(owner, request.path_params["id"], expiry, signature, await seal(), now())
        if link is None:
            raise HearthError("unknown_file", "There is no file at this address, or its time is over.")
        file = await files.find(link.owner, link.id)
        return answer(request, files, file, min(link.expiry, files.expires(file.id)) - now())

    return [
        Route("/files", create, methods=["POST"]),
        Route("/files", list_all, methods=["GET"]),
        Route("/files/{id}", get, methods=["GET"]),
        Route("/files/{id}", delete, methods=["DELETE"]),
        Route(_DOWNLOAD, download, methods=["GET"]),
        Route(_NAMED, named, methods=["GET"]),
        preflight(_DOWNLOAD),
        preflight(_NAMED),
    ]


def _link(owner: str, id: str, files: Files) -> Link:
    return Link(owner, id, int(files.expires(id)))


def _page(address: str, side: str, file: File) -> str:
    return f"{address}/files?{urlencode({'cursor': f'{side}-{file.id}'})}"


def _show(file: File, files: Files, address: str, seal: bytes) -> dict[str, Any]:
    told = objects.file(
        file.id,
        file.name,
        file.content_type,
        file.size,
        checksums={"sha256": file.sha256, "md5": file.md5},
        metadata=file.metadata,
        created=file.created,
        expires=files.expires(file.id),
        url=f"{address}/files/{file.id}",
    )
    told["urls"]["download"] = links.download(address, _link(file.owner, file.id, files), seal)
    return told

"""The chat page and what it loads: a handful of files, read once, known by what is in them."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC: Final = Path(__file__).parent.parent / "static"

# All of the page comes from here, and nobody may frame it: whatever a model says, no script of its making runs.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".map": "application/json",
}


class _File(NamedTuple):
    content: bytes
    type: str
    etag: str


def routes(folder: Path = STATIC) -> list[Route]:
    """`/`, and each file of the folder under `/static/`."""
    files = {str(path.relative_to(folder)): _read(path) for path in sorted(folder.rglob("*")) if path.is_file()}

    async def page(request: Request) -> Response:
        return _answer(files, "index.html", request)

    async def static(request: Request) -> Response:
        return _answer(files, request.path_params["path"], request)

    return [Route("/", page), Route("/static/{path:path}", static)]


def _read(path: Path) -> _File:
    content = path.read_bytes()
    type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(content, type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')


def _answer(files: dict[str, _File], name: str, request: Request) -> Response:
    file = files.get(name)
    if file is None:
        raise HTTPException(404)
    headers = {
        "etag": file.etag,
        "cache-control": "no-cache",
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    known = request.headers.get("if-none-match", "")
    if file.etag in [each.strip().removeprefix("W/") for each in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.type)

"""Lists in pages: `{"previous", "next", "results"}`, and the cursors between them. Pure."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from engines.base import JSON
from gateway.predictions.base import Page, Query
from gateway.predictions.record import Record
from gateway.wire.check import one_of, refuse
from gateway.wire.replicate import timestamps

LIMIT: Final = 100
"""How much is on a page."""

_SOURCE: Final = one_of("api", "web")
_Start = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_T = TypeVar("_T")


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Behind which prediction a page begins, or before which one it ends."""

    created: Annotated[float, msgspec.Meta(ge=0, le=2**53)]
    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]{1,64}$")]
    backwards: bool


def query(asked: Mapping[str, str]) -> Query:
    """Which predictions the parameters of a URL ask for. Raises HearthError `invalid_request`, naming the parameter."""
    cursor = asked.get("cursor")
    place = _read(cursor, _Place) if cursor else None
    source = asked.get("source")
    return Query(
        before=None if place is None else (place.created, place.id),
        backwards=place is not None and place.backwards,
        created_after=_moment("created_after", asked),
        created_before=_moment("created_before", asked),
        source=_SOURCE("source", source) if source else None,
        limit=LIMIT,
    )


def of_records(page: Page, query: Query, url: str, results: Sequence[JSON]) -> dict[str, Any]:
    """The body of a page of predictions, shown as `results`, that was had at this URL by this query."""

    def beside(record: Record, backwards: bool) -> str:
        return _with(url, _asked(query), _Place(record.created, record.id, backwards))

    newer, older = page.records and page.newer, page.records and page.older
    return {
        "previous": beside(page.records[0], backwards=True) if newer else None,
        "next": beside(page.records[-1], backwards=False) if older else None,
        "results": list(results),
    }


def page(previous: str | None, next: str | None, results: Sequence[JSON]) -> dict[str, Any]:
    """The body of a page, by the addresses of those beside it."""
    return {"previous": previous, "next": next, "results": list(results)}


def of_list(results: Sequence[JSON], url: str, asked: Mapping[str, str], limit: int = LIMIT) -> dict[str, Any]:
    """The body of the page of a whole list that the parameters of this URL ask for.

    Raises HearthError `invalid_request`, naming the parameter.
    """
    start = _read(asked["cursor"], _Start) if asked.get("cursor") else 0
    return {
        "previous": _with(url, asked, max(0, start - limit)) if start > 0 else None,
        "next": _with(url, asked, start + limit) if start + limit < len(results) else None,
        "results": list(results[start : start + limit]),
    }


def _asked(query: Query) -> dict[str, str]:
    """The parameters that a query was read from, less the cursor."""
    moments = {"created_after": query.created_after, "created_before": query.created_before}
    asked = {name: timestamps.written(seconds) for name, seconds in moments.items() if seconds is not None}
    return asked if query.source is None else {**asked, "source": query.source}


def _with(url: str, asked: Mapping[str, str], place: _Place | int) -> str:
    cursor = urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")
    return f"{url}?{urlencode({**asked, 'cursor': cursor})}"


def _read(cursor: str, kind: type[_T]) -> _T:
    try:
        place: _T = msgspec.msgpack.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
        return place
    except (ValueError, msgspec.MsgspecError):
        raise refuse("cursor", "`cursor` is one of this server's own, as `next` and `previous` hold it.") from None


def _moment(name: str, asked: Mapping[str, str]) -> float | None:
    if not asked.get(name):
        return None
    try:
        # A plus in a URL that nobody encoded has become a space.
        return timestamps.read(asked[name].strip().replace(" ", "+"))
    except (ValueError, OverflowError):
        raise refuse(name, f"`{name}` is a moment in ISO 8601: 2026-11-20T09:00:00Z.") from None

"""What a caller wants of the cache, and what it is told: `Cache-Control` (RFC 9111), `Cache-Status` (RFC 9211)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from engines.base import JSON
from gateway.wire.check import boolean, mapping, number, refuse, text

How = Literal["HIT", "JOIN", "MISS", "BYPASS"]

LONGEST_S: Final = 30 * 86_400.0
"""How long anybody may have an answer kept."""

_SECONDS: Final = number(0, LONGEST_S)
_LONGEST: Final = 4096
"""Letters of the header that are read."""


class Control(NamedTuple):
    """One call's wishes. Nothing of it can change the answer itself."""

    no_cache: bool = False
    """Answer anew; the answer may be kept."""
    no_store: bool = False
    """Have nothing to do with the cache at all."""
    only_if_cached: bool = False
    """Give what is there, or nothing."""
    max_age_s: float | None = None
    min_fresh_s: float = 0.0
    ttl_s: float | None = None
    namespace: str | None = None
    """A part of the caller's own namespace."""
    use: bool = False
    """Share this answer even where chance made it."""
    semantic: bool = True
    """Whether an answer to a like question will do, where the model allows that."""


def of_body(value: JSON) -> Control:
    """The body's `cache` object. Raises HearthError `invalid_request`, naming the field."""
    if value is None:
        return Control()
    wishes: dict[str, Any] = {}
    for name, each in mapping("cache", value).items():
        if name not in _FIELDS:
            raise refuse(f"cache.{name}", f"`cache` has no field {name[:40]!r}; it has {', '.join(_FIELDS)}.")
        field, rule = _FIELDS[name]
        if each is not None:
            wishes[field] = rule(f"cache.{name}", each)
    return Control(**wishes)


_FIELDS: Final[dict[str, tuple[str, Any]]] = {
    "no-cache": ("no_cache", boolean),
    "no-store": ("no_store", boolean),
    "ttl": ("ttl_s", _SECONDS),
    "s-maxage": ("max_age_s", _SECONDS),
    "namespace": ("namespace", text),
    "use-cache": ("use", boolean),
    "semantic": ("semantic", boolean),
}


def with_headers(control: Control, headers: Iterable[str]) -> Control:
    """The wishes with those of `Cache-Control` headers; a directive that is unknown is passed over.

    An age that makes no sense is none that any answer has: whoever wants fresh text is not given old text for a slip.
    """
    for name, value in _directives(",".join(headers)[:_LONGEST]):
        match name:
            case "no-cache":
                control = control._replace(no_cache=True)
            case "no-store":
                control = control._replace(no_store=True)
            case "only-if-cached":
                control = control._replace(only_if_cached=True)
            case "max-age":
                known = control.max_age_s
                control = control._replace(max_age_s=min(_seconds(value), LONGEST_S if known is None else known))
            case "min-fresh":
                control = control._replace(min_fresh_s=min(_seconds(value), LONGEST_S))
    return control


def _directives(header: str) -> Iterable[tuple[str, str]]:
    for directive in header.split(","):
        name, _, value = directive.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _seconds(value: str) -> float:
    return float(value) if value.isdecimal() and value.isascii() else 0.0


PLAIN: Final = Control()
"""No wishes."""


class Told(NamedTuple):
    """What became of a call: whose answer it is, how old (seconds), and for how long it is good yet."""

    how: How
    key: str | None = None
    age_s: float = 0.0
    ttl_s: float | None = None
    source: str | None = None
    """The run that gave the answer."""
    why: str | None = None
    """Of a MISS or a BYPASS: what kept it from being a HIT."""
    similarity: float | None = None
    """How like the question was that this answered, where it was not the same."""


def headers(told: Told) -> dict[str, str]:
    """What an answer says of the cache."""
    said = {"x-cache": told.how, "cache-status": _status(told)}
    if told.how == "HIT":
        said["age"] = str(int(told.age_s))
        if told.ttl_s is not None:
            said["x-cache-ttl"] = str(int(told.ttl_s))
    if told.key is not None:
        said["x-cache-key"] = told.key
    if told.source is not None and told.how in ("HIT", "JOIN"):
        said["x-cache-source-id"] = told.source
    if told.similarity is not None:
        said["x-cache-similarity"] = f"{told.similarity:.4f}"
    return said


def _status(told: Told) -> str:
    parts = ["hearth"]
    match told.how:
        case "HIT":
            parts.append("hit")
            if told.ttl_s is not None:
                parts.append(f"ttl={int(told.ttl_s)}")
            if told.similarity is not None:
                parts.append('detail="like"')
        case "JOIN":
            parts += ["fwd=miss", "collapsed"]
        case "MISS":
            parts.append(f"fwd={told.why or 'miss'}")
        case "BYPASS":
            parts.append("fwd=bypass")
            if told.why is not None:
                parts.append(f'detail="{told.why}"')
    if told.key is not None:
        parts.append(f'key="{told.key}"')
    return "; ".join(parts)

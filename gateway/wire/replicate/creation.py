"""What is asked with a new prediction: its body and its headers, as Replicate's clients write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, get_args
from urllib.parse import urlsplit
from urllib.request import parse_http_list

from engines.base import JSON
from gateway.errors import HearthError
from gateway.predictions.record import ALL, Happening, Hook
from gateway.wire.check import one_of, refuse, several, shallow, text
from gateway.wire.replicate.fields import missing, mistyped, refused

MOST_HOLD_S: Final = 60
"""No client may have its request held for longer."""
MARGIN_S: Final = 1.0
"""An answer is begun so long before its client gives up."""
LEAST_HOLD_S: Final = 0.5
CANCEL_AFTER_S: Final = (5, 24 * 3600)

Objection = Callable[[str], str | None]
"""Why an address would never be called; None where it may be."""

_LONGEST_URL: Final = 2048
_LONGEST: Final = 4096
"""Letters of a header that are read."""
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)
_DURATION: Final = re.compile(r"(?=.)(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s?)?", re.ASCII)
_HAPPENINGS: Final = several(one_of(*get_args(Happening)), "events")
_CLIENT: Final = frozenset({"auth", "baseUrl", "userAgent"})
_SPILLED: Final = (
    "`input` is the client object itself, with its token, and not what was to be asked: a fault of the Node client's "
    'fileEncodingStrategy "data-uri". Leave that option out, and make a new token, for this one was sent.'
)


class Creation(NamedTuple):
    """What the body of a create says; whatever else stands in it is passed over."""

    version: str | None
    input: dict[str, Any]
    hook: Hook | None


def parse(body: dict[str, JSON], objection: Objection = lambda url: None) -> Creation:
    """The creation in a body. Raises HearthError `invalid_request` or `invalid_inputs`, naming the field.

    No error says what stands in `input`.
    """
    shallow(body)
    if "input" not in body:
        raise refused([missing("input", "")])
    input = body["input"]
    if not isinstance(input, dict):
        raise refused([mistyped("input", "object", input)])
    if input.keys() >= _CLIENT:
        raise HearthError("invalid_inputs", _SPILLED, parameter="input")
    version = None if body.get("version") is None else text("version", body["version"])
    return Creation(version, input, _hook(body, objection))


def _hook(body: dict[str, JSON], objection: Objection) -> Hook | None:
    wanted = body.get("webhook_events_filter")
    named = set(_HAPPENINGS("webhook_events_filter", wanted)) if wanted is not None else set()
    if body.get("webhook") is not None:
        happenings = tuple(each for each in ALL if each in named) or ALL
        return Hook(_url("webhook", body["webhook"], objection), happenings)
    if body.get("webhook_completed") is not None:
        return Hook(_url("webhook_completed", body["webhook_completed"], objection), ("completed",))
    return None


def _url(where: str, value: JSON, objection: Objection) -> str:
    written = text(where, value)
    if len(written) > _LONGEST_URL:
        raise _refused(where, f"it has more than {_LONGEST_URL} characters.")
    try:
        url = urlsplit(written)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or not written.isascii() or not written.isprintable() or " " in written:
        # It is not said again: addresses hold secrets as often as not.
        raise refuse(where, f"`{where}` must be an http(s) URL, in plain ASCII.")
    if (why := objection(written)) is not None:
        raise _refused(where, why)
    return written


def _refused(where: str, why: str) -> HearthError:
    return HearthError("invalid_inputs", f"`{where}` cannot be called: {why}", parameter=where)


def hold_s(prefer: str | None) -> float:
    """For how many seconds `Prefer` lets the answer wait for the end; 0 where it does not ask for that.

    Always less than the client waits. The first `wait` counts, if it makes sense.
    """
    for preference in parse_http_list((prefer or "")[:_LONGEST]):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            written = value.strip().strip('"') or str(MOST_HOLD_S)
            seconds = int(written) if _SECONDS.fullmatch(written) else 0
            return max(LEAST_HOLD_S, min(seconds, MOST_HOLD_S) - MARGIN_S) if seconds else 0.0
    return 0.0


def cancel_after_s(header: str | None) -> float | None:
    """The seconds of `Cancel-After`: `90`, `1h30m45s`. Raises HearthError `invalid_request`."""
    if header is None:
        return None
    match = _DURATION.fullmatch(header.strip().lower()[:_LONGEST])
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    after, (least, most) = hours * 3600 + minutes * 60 + seconds, CANCEL_AFTER_S
    if not least <= after <= most:
        raise refuse("Cancel-After", "`Cancel-After` is 5 seconds to 24 hours: `90`, `90s` or `1h30m45s`.")
    return float(after)

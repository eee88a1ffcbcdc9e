"""`Prefer: wait=N` (RFC 7240), and what else a caller may want of a model that is not warm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.request import parse_http_list

from engines.base import JSON
from gateway.wire.check import boolean, integer

_LONGEST: Final = 4096
"""Letters of the header that are read."""
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)
_WAIT: Final = integer(0)


class Patience(NamedTuple):
    """What a caller wants where its model is not warm."""

    wait_s: int | None = None
    """It waits for a boot that is likely over in so many seconds, and for no other; None waits for any."""
    fallback: bool = True
    """Whether the model's fallback may answer instead."""

    @property
    def applied(self) -> dict[str, str]:
        """The header which says that it was heeded."""
        return {} if self.wait_s is None else {"preference-applied": f"wait={self.wait_s}"}


PATIENT: Final = Patience()
"""Waits for whatever it asked."""


def wait_s(prefer: Iterable[str]) -> int | None:
    """The seconds of `Prefer` headers; None where they say none. The first `wait` counts, if it makes sense."""
    for preference in parse_http_list(",".join(prefer)[:_LONGEST]):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            seconds = value.strip().strip('"')
            return int(seconds) if _SECONDS.fullmatch(seconds) else None
    return None


def of_frame(frame: Mapping[str, JSON]) -> Patience:
    """The fields `wait_s` and `fallback` of a frame. Raises HearthError `invalid_request`, naming the field."""
    wait, fallback = frame.get("wait_s"), frame.get("fallback")
    return Patience(None if wait is None else _WAIT("wait_s", wait), fallback is None or boolean("fallback", fallback))

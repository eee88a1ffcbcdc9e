"""What is known of a prediction besides its log, and long after that is gone. Pure."""

from __future__ import annotations

from base64 import b32encode
from typing import Any, Final, Literal

import msgspec

Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
Happening = Literal["start", "output", "logs", "completed"]
"""What a webhook may be called for."""

ALL: Final[tuple[Happening, ...]] = ("start", "output", "logs", "completed")
LETTERS: Final = 26
"""How long a prediction's id is."""


class Hook(msgspec.Struct, frozen=True):
    """Whom to tell, and of what."""

    url: str
    happenings: tuple[Happening, ...] = ALL


class Ending(msgspec.Struct, frozen=True):
    """How a prediction ended (unix seconds); `started` is None where its model never ran it."""

    status: Status
    completed: float
    started: float | None = None
    error: str | None = None
    metrics: dict[str, Any] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction: whose it is, what it runs, whom to tell, and once it has ended, how. Times are unix seconds."""

    id: str
    """As its caller sees it."""
    generation: str
    owner: str
    """The namespace that it belongs to."""
    key: str
    """The id of the key that began it, whose secret signs its webhooks."""
    model: str
    """Its owner/name."""
    version: str
    """The 64 hexadecimal digits of its version."""
    created: float
    address: str
    """What all of its addresses begin with, as its caller sees this server: `https://gw.example/replicate/v1`."""
    deployment: str | None = None
    source: Literal["api", "web"] = "api"
    hook: Hook | None = None
    deadline: float | None = None
    ending: Ending | None = None
    told: bool = False
    """Whether whoever wanted to hear of its end has heard of it, or will not."""

    @property
    def is_awaited(self) -> bool:
        """Whether anybody wants to hear of its end."""
        return self.hook is not None and "completed" in self.hook.happenings


def id_of(generation: str) -> str:
    """A prediction's id: its generation's 128 random bits in 26 lower-case letters and digits."""
    return b32encode(bytes.fromhex(generation.removeprefix("gen_"))).decode().rstrip("=").lower()

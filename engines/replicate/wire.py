"""What Replicate answers, as far as it is used here."""

from __future__ import annotations

from typing import Final

import msgspec

from engines.base import JSON

_IDLE: Final = frozenset({"starting", "aborted"})
_ENDED: Final = frozenset({"succeeded", "failed", "canceled", "aborted"})


class Metrics(msgspec.Struct, frozen=True):
    """What a prediction has taken; each is told of some models, and at the end alone."""

    predict_time: float | None = None
    """Seconds that the model ran, without its queue and its boot."""
    input_token_count: float | None = None
    output_token_count: float | None = None


class Urls(msgspec.Struct, frozen=True):
    """Addresses of one prediction; `stream` is there where its output can be streamed."""

    stream: str | None = None


class Prediction(msgspec.Struct, frozen=True):
    """One run of a model, as it is now. `output` only grows while it runs, where it is a list."""

    id: str
    status: str
    model: str = ""
    output: JSON = None
    error: JSON = None
    logs: str | None = None
    metrics: Metrics | None = None
    urls: Urls = Urls()

    @property
    def ran(self) -> bool:
        """Whether its model runs it, or did: not while it waits for that, and never where it was ended before."""
        return self.status not in _IDLE

    @property
    def ended(self) -> bool:
        return self.status in _ENDED


class Version(msgspec.Struct, frozen=True):
    """One state of a model's code and weights."""

    id: str
    openapi_schema: dict[str, JSON] | None = None


class Model(msgspec.Struct, frozen=True):
    """A model by its name; an official one is always run by that."""

    latest_version: Version | None = None
    is_official: bool = False


class Release(msgspec.Struct, frozen=True):
    """What a deployment runs."""

    model: str
    version: str


class Deployment(msgspec.Struct, frozen=True):
    """A model with machines of its own."""

    current_release: Release | None = None


class Fault(msgspec.Struct, frozen=True):
    """One input that was not taken."""

    field: str = ""
    description: str = ""


class Problem(msgspec.Struct, frozen=True):
    """Why a call was refused."""

    title: str = ""
    detail: JSON = None
    invalid_fields: tuple[Fault, ...] = ()
    retry_after: float | None = None

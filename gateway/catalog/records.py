"""What is kept of models, deployments and pushed versions, for as long as nobody takes it back. Pure."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

LINKS = ("github_url", "paper_url", "weights_url", "license_url", "cover_image_url")


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is said of a model, and that there is one even before it has a version. Times are unix seconds."""

    name: str
    """Its owner/name."""
    created: float
    visibility: Literal["public", "private"] | None = None
    hardware: str | None = None
    description: str | None = None
    readme: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    weights_url: str | None = None
    license_url: str | None = None
    cover_image_url: str | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One release of a deployment: which version runs, and how many engines of it. Times are unix seconds."""

    name: str
    """Its owner/name."""
    number: int
    """Grows with each release."""
    model: str
    """The owner/name of what it runs."""
    version: str
    """Its 64 digits."""
    hardware: str
    min_instances: int
    max_instances: int
    created: float
    by: str
    """The namespace of whoever said so."""


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was pushed while the server ran. Times are unix seconds."""

    name: str
    """The owner/name of its model."""
    archive: str
    """The SHA-256 of its files, packed."""
    created: float
    by: str
    """The namespace of whoever pushed it."""
    number: int
    """Its place among those of its model: the newest has the greatest, also one that was there before."""
    schema: dict[str, Any] | None = None
    """The OpenAPI document of its inputs and outputs, where it could be found before it was first run."""

    @property
    def id(self) -> str:
        """What it is kept by."""
        return f"{self.name}:{self.archive}"

    @property
    def model(self) -> str:
        """What it is called in the pool."""
        return f"{self.name}:{self.archive[:12]}"

    @property
    def order(self) -> tuple[int, float, str]:
        """What all servers order those of a model by; two that came at once may have one number."""
        return self.number, self.created, self.archive


_T = TypeVar("_T", Card, Deployment, Push)


def pack(record: Card | Deployment | Push) -> bytes:
    """A record as it is stored; two that are alike are so to the byte."""
    return msgspec.json.encode(record)


def unpack(written: bytes, kind: type[_T]) -> _T:
    """What `pack` was given."""
    return msgspec.json.decode(written, type=kind)


def changed(record: _T, changes: dict[str, Any]) -> _T:
    """The record with some of its fields as they are to be."""
    return msgspec.structs.replace(record, **changes)

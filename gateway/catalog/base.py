"""What is served, under the names that Replicate's clients use: owner/name, and versions that never change."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from engines.base import UNTOLD_SCHEMA
from gateway.keys import Key


class Version(NamedTuple):
    """One version of a model: what determines its answers has that id (64 hexadecimal digits)."""

    id: str
    model: str
    """What it is called in the pool."""
    created: float
    schema: dict[str, Any]
    """The OpenAPI document of its inputs and outputs."""
    predictor: bool
    """Whether it takes those inputs as they are (a Cog model); a model of text has them turned into a prompt."""

    @property
    def told(self) -> dict[str, Any] | None:
        """Its schema, where somebody has looked; else nothing is known of its inputs and outputs."""
        return None if self.schema == UNTOLD_SCHEMA else self.schema


class Listed(NamedTuple):
    """A model with its versions, the newest first; none while it is only registered."""

    owner: str
    name: str
    versions: tuple[Version, ...]

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def latest(self) -> Version:
        return self.versions[0]


class Found(NamedTuple):
    """A model, and the version of it that is meant."""

    listed: Listed
    version: Version


class Catalog(Protocol):
    """All models and versions that are served now. A key finds those that it may ask."""

    def listed(self, key: Key) -> list[Listed]:
        """Every model."""

    def model(self, owner: str, name: str, key: Key) -> Listed:
        """That model. Raises HearthError `unknown_model`."""

    def version(self, written: str, key: Key) -> Found:
        """What `version` in a body means: 64 digits, `owner/name:digits`, `owner/name:latest` or `owner/name`.

        Raises HearthError `unknown_version`.
        """

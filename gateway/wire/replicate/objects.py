"""Replicate's other objects, with everything in them that its Python client needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from engines.base import JSON
from gateway.wire.replicate.timestamps import written

COG_VERSION: Final = "0.23.1"
"""Whose way to write a schema is followed; Python's client reads iterators by it."""

Visibility = Literal["public", "private"]


class Release(NamedTuple):
    """What a deployment runs; `created` is in unix seconds."""

    number: int
    model: str
    version: str
    created: float
    hardware: str
    min_instances: int
    max_instances: int


def version(id: str, created: float, document: Mapping[str, Any]) -> dict[str, JSON]:
    """A version, with the OpenAPI document of its inputs and outputs."""
    return {"id": id, "created_at": written(created), "cog_version": COG_VERSION, "openapi_schema": document}


def model(
    owner: str,
    name: str,
    url: str,
    latest: Mapping[str, JSON] | None,
    *,
    run_count: int = 0,
    description: str | None = None,
    visibility: Visibility = "private",
    links: Mapping[str, str] | None = None,
) -> dict[str, JSON]:
    """A model; `latest` is its newest version, `links` its `github_url` and the like."""
    return {
        "url": url,
        "owner": owner,
        "name": name,
        "description": description,
        "visibility": visibility,
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "cover_image_url": None,
        "run_count": run_count,
        "is_official": False,
        "default_example": None,
        "latest_version": latest,
        **(links or {}),
    }


def deployment(owner: str, name: str, release: Release, by: Mapping[str, JSON]) -> dict[str, JSON]:
    """A deployment and what it runs now; `by` is the account that said so."""
    return {
        "owner": owner,
        "name": name,
        "current_release": {
            "number": release.number,
            "model": release.model,
            "version": release.version,
            "created_at": written(release.created),
            "created_by": by,
            "configuration": {
                "hardware": release.hardware,
                "min_instances": release.min_instances,
                "max_instances": release.max_instances,
            },
        },
    }


def account(
    username: str, name: str | None = None, kind: Literal["user", "organization"] = "organization"
) -> dict[str, JSON]:
    """Who asks."""
    return {"type": kind, "username": username, "name": name or username, "github_url": None, "avatar_url": None}


def hardware(sku: str, name: str) -> dict[str, JSON]:
    """What a model may run on."""
    return {"sku": sku, "name": name}


def collection(
    slug: str, name: str, description: str, models: Sequence[Mapping[str, JSON]] | None = None
) -> dict[str, JSON]:
    """Models under one heading; a list of collections leaves their models out."""
    told: dict[str, JSON] = {"slug": slug, "name": name, "description": description, "full_description": None}
    return told if models is None else {**told, "models": list(models)}


def file(
    id: str,
    name: str,
    content_type: str,
    size: int,
    *,
    checksums: Mapping[str, str],
    metadata: Mapping[str, JSON],
    created: float,
    expires: float | None,
    url: str,
) -> dict[str, JSON]:
    """A file that is kept until it `expires` (unix seconds); its `etag` is its MD5, or else its SHA-256."""
    return {
        "id": id,
        "name": name,
        "content_type": content_type,
        "size": size,
        "etag": checksums.get("md5") or checksums.get("sha256", ""),
        "checksums": dict(checksums),
        "metadata": dict(metadata),
        "created_at": written(created),
        "expires_at": None if expires is None else written(expires),
        "urls": {"get": url},
    }

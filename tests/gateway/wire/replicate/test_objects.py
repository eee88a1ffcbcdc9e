"""Objects that are no predictions, as Replicate's Python client reads them: it is strict."""

from __future__ import annotations

from typing import Any

import pytest
from replicate.account import Account
from replicate.collection import Collection
from replicate.deployment import Deployment
from replicate.file import File
from replicate.hardware import Hardware
from replicate.model import Model
from replicate.version import Version

from gateway.wire.replicate import objects

VERSION = objects.version("a" * 64, 1_763_629_200.5, {"openapi": "3.0.2"})
MODEL = objects.model("ann", "llama", "https://gw/ann/llama", VERSION, run_count=3, description="A model.")
ACCOUNT = objects.account("ann")
RELEASE = objects.Release(2, "ann/llama", "a" * 64, 1_763_629_200.0, "gpu-t4", 0, 5)
FILE: dict[str, Any] = {
    "checksums": {"md5": "m", "sha256": "s"},
    "metadata": {"a": 1},
    "created": 1.0,
    "expires": 2.0,
    "url": "https://gw/v1/files/f",
}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (VERSION, Version),
        (MODEL, Model),
        (objects.model("ann", "new", "https://gw/ann/new", None, links={"github_url": "https://g"}), Model),
        (objects.deployment("ann", "prod", RELEASE, ACCOUNT), Deployment),
        (ACCOUNT, Account),
        (objects.hardware("cpu", "CPU"), Hardware),
        (objects.collection("texts", "Texts", "All.", [MODEL]), Collection),
        (objects.collection("texts", "Texts", "All."), Collection),
        (objects.file("f", "a.png", "image/png", 5, **FILE), File),
    ],
)
def test_the_client_reads_it(told: dict[str, Any], kind: Any) -> None:
    read = kind(**told).dict()
    assert read and all(read[name] is not None for name in told if told[name] is not None and name in read)


def test_what_the_client_reads_is_what_was_meant() -> None:
    version = Version(**VERSION)
    assert version.created_at.isoformat() == "2025-11-20T09:00:00.500000+00:00"
    model = Model(**MODEL)
    assert (model.id, model.run_count, model.latest_version) == ("ann/llama", 3, version)
    release = Deployment(**objects.deployment("ann", "prod", RELEASE, ACCOUNT)).current_release
    assert release is not None and release.created_by == Account(**ACCOUNT)
    assert (release.number, release.configuration.min_instances, release.configuration.max_instances) == (2, 0, 5)
    file = File(**objects.file("f", "a.png", "image/png", 5, **FILE))
    assert (file.etag, file.urls, file.metadata) == ("m", {"get": "https://gw/v1/files/f"}, {"a": 1})


def test_a_list_of_collections_says_nothing_of_their_models() -> None:
    assert "models" not in objects.collection("texts", "Texts", "All.")

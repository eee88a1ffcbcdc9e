"""Files: kept, given to models, and made by them."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.speaker import Raised, Speaker

KEEPING = ("python 1.0.7", "python 2.0.0b4", "node 1.4.0")
"""Those that can upload; 0.31.0 writes every file into its call."""


def content_of(output: Any) -> str:
    """What is in an output: 0.31.0 gives its address, which needs no key, and the others a file to be read."""
    return base64.b64decode(output["bytes"]).decode() if isinstance(output, dict) else httpx.get(output).text


def test_a_file_goes_in_and_a_file_comes_out(client: Speaker) -> None:
    outputs = client("run_with_file", model="acme/shout", name="text", content="grüße", times=2)
    assert [content_of(output) for output in outputs] == ["GRÜSSE", "GRÜSSE"]


def test_a_large_file_goes_in(client: Speaker) -> None:
    """0.31.0 writes it into its call, a third larger: it is kept as an upload is, and stands in no log."""
    content = "x" * 20_000_000
    assert client("run_with_file", model="acme/weigh", name="file", content=content) == len(content)


def test_a_data_url_goes_in_as_well(client: Speaker) -> None:
    data = "data:text/plain;base64," + base64.b64encode(b"quiet").decode()
    [output] = client("run", model="acme/shout", input={"text": data})
    assert content_of(output) == "QUIET"


@speaking(*KEEPING)
def test_an_upload_is_kept_shown_and_deleted(client: Speaker) -> None:
    made = client("upload", content="notes", metadata={"of": "mine"})
    assert (made["name"], made["size"], made["metadata"]) == ("notes.txt", 5, {"of": "mine"})
    assert made["content_type"].startswith("text/plain")
    assert client("file", id=made["id"]) == made
    assert client("files") == [made["id"]]
    assert client("delete_file", id=made["id"]) is True
    with pytest.raises(Raised) as raised:
        client("file", id=made["id"])
    assert raised.value.status == 404


@speaking(*KEEPING)
def test_an_upload_is_for_its_user_alone(client: Speaker, hearth: Hearth) -> None:
    made = client("upload", content="notes")
    other = client.sending(token=hearth.key())
    assert other("files") == []
    with pytest.raises(Raised) as raised:
        other("run", model="acme/shout", input={"text": made["urls"]["get"]})
    assert raised.value.status == 422
    [output] = client("run", model="acme/shout", input={"text": made["urls"]["get"]})
    assert content_of(output) == "NOTES"


def test_what_a_predictor_does_not_take_is_named(client: Speaker) -> None:
    with pytest.raises(Raised) as raised:
        client("run", model="acme/count", input={"to": 5000})
    assert raised.value.status == 422
    assert raised.value.detail and "to" in raised.value.detail


def test_a_predictor_that_gives_one_after_another_gives_all(client: Speaker) -> None:
    [version] = client("versions", name="acme/count")
    for model in ("acme/count", f"acme/count:{version}"):
        assert client("run", model=model, input={"to": 30}) == [f"{number}\n" for number in range(1, 31)]


def test_what_a_predictor_prints_is_in_its_logs(client: Speaker) -> None:
    id = client("create", model="acme/count", input={"to": 3})["id"]
    assert client("wait", id=id)["logs"].split("\n")[:3] == ["counted 1", "counted 2", "counted 3"]

"""Webhooks: signed so that the clients' own functions believe them, and nobody else's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.receiver import Receiver, Told, receiving
from tests.clients.replicate.speaker import Raised, Speaker

CHECKING = ("python 0.31.0", "python 1.0.7", "node 1.4.0")
"""Those that have such a function; the second major version of Python's has none yet."""
QUESTION = {"prompt": "grüß dich"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def told_of_the_end(client: Speaker, receiver: Receiver) -> Told:
    client(
        "create",
        model="hearth/quick",
        input=QUESTION,
        webhook=receiver.url,
        webhook_events_filter=["completed"],
    )
    return receiver.told.get(timeout=5)


def believes(client: Speaker, told: Told, secret: str) -> bool:
    """Whether the client's own function takes it for signed."""
    headers = {name.lower(): value for name, value in told.headers.items()}
    try:
        return bool(client("validate", headers=headers, body=told.body, secret=secret))
    except Raised as raised:
        assert raised.type == "InvalidSignatureError"
        return False


def test_the_end_is_told_as_get_tells_it(client: Speaker, receiver: Receiver) -> None:
    said = json.loads(told_of_the_end(client, receiver).body)
    seen = client("get", id=said["id"])
    assert said["status"] == "succeeded"
    assert said["input"] == QUESTION
    assert {name: value for name, value in said.items() if name in seen} == {
        name: value for name, value in seen.items() if name in said
    }


@speaking(*CHECKING)
def test_what_is_told_is_signed_with_the_secret_of_its_user(client: Speaker, receiver: Receiver) -> None:
    told, secret = told_of_the_end(client, receiver), client("secret")
    assert believes(client, told, secret)
    assert not believes(client, told._replace(body=told.body.replace("succeeded", "failed")), secret)
    assert not believes(client, told, "whsec_" + base64.b64encode(bytes(32)).decode())


@speaking(*CHECKING)
def test_anothers_secret_signs_nothing_of_mine(client: Speaker, receiver: Receiver, hearth: Hearth) -> None:
    other = client.sending(token=hearth.key())
    assert not believes(client, told_of_the_end(client, receiver), other("secret"))


def test_each_stage_is_told_in_order(client: Speaker, receiver: Receiver) -> None:
    client("create", model="hearth/slow", input=QUESTION, webhook=receiver.url)
    stages: list[dict[str, Any]] = []
    while not stages or stages[-1]["status"] == "processing":
        stages.append(json.loads(receiver.told.get(timeout=5).body))
    assert stages[0]["status"] == "processing"
    assert stages[-1]["status"] == "succeeded"
    lengths = [len(stage["output"] or []) for stage in stages]
    assert lengths == sorted(lengths)


def test_a_receiver_that_fails_is_told_again(client: Speaker, receiver: Receiver) -> None:
    receiver.answers.extend([500, 503])
    first = told_of_the_end(client, receiver)
    again = [receiver.told.get(timeout=5) for _ in range(2)]
    assert {told.body for told in again} == {first.body}
    assert {told.headers["webhook-id"] for told in again} == {first.headers["webhook-id"]}

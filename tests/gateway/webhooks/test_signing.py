"""Webhooks are signed so that the official clients take them, and nobody else can."""

from __future__ import annotations

import time
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis.strategies import text
from replicate.webhook import InvalidSignatureError, Webhooks, WebhookSigningSecret
from standardwebhooks import Webhook

from gateway import tickets
from gateway.webhooks import signing

SEAL = bytes(range(32))


def validate(headers, body, key):
    """As the client has it, with its tolerance."""
    Webhooks.validate(headers=headers, body=body, secret=WebhookSigningSecret(key=key), tolerance=300)


@given(text(min_size=1).filter(lambda each: each.encode("utf-8", "ignore").decode() == each))
def test_the_clients_own_check_passes_for_any_body(body):
    key = signing.secret(SEAL, "key_a")
    headers = signing.headers(key, "msg_a_completed", body.encode(), time.time())
    validate(headers, body, key)
    Webhook(key).verify(body, headers, json_parse=False)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body", "key"])
def test_nothing_can_be_changed(changed):
    key, body = signing.secret(SEAL, "key_a"), "{}"
    headers = signing.headers(key, "msg_a_completed", body.encode(), time.time())
    if changed == "body":
        body += " "
    elif changed == "key":
        key = signing.secret(SEAL, "key_b")
    else:
        headers[changed] += "1"
    with pytest.raises(InvalidSignatureError):
        Webhooks.validate(headers=headers, body=body, secret=WebhookSigningSecret(key=key))


@given(text(min_size=1))
def test_a_secret_is_one_that_clients_can_read(key):
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    made = signing.secret(SEAL, key)
    assert made.count("_") == 1 and made == signing.secret(SEAL, key)
    assert len(b64decode(made.removeprefix("whsec_"), validate=True)) == 32


def test_every_key_and_every_server_has_its_own():
    made = {signing.secret(seal, key) for seal in (SEAL, bytes(32)) for key in ("key_a", "key_b")}
    assert len(made) == 4


def test_a_secret_is_good_for_no_ticket():
    ticket = tickets.issue(tickets.Ticket("key_a", 9e9), SEAL)
    body = ticket.partition(".")[0]
    known = signing.secret(SEAL, body).removeprefix("whsec_").replace("+", "-").replace("/", "_").rstrip("=")
    assert tickets.check(f"{body}.{known}", SEAL, 0.0) is None

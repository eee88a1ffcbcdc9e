"""How webhooks are signed: as Standard Webhooks has it, with a secret for each key. Pure."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

_FOR: Final = b"hearth webhooks 1\n"
"""Mixed in, so that what anybody is given of the seal here is good for nothing else."""


def secret(seal: bytes, key: str) -> str:
    """What the webhooks of the key of that id are signed with, as its owner's clients take it: `whsec_` and base64."""
    return f"whsec_{b64encode(hmac.digest(seal, _FOR + key.encode(), hashlib.sha256)).decode()}"


def headers(secret: str, message: str, body: bytes, now: float) -> dict[str, str]:
    """The headers that prove a body (UTF-8) to be ours. `now` is in unix seconds."""
    at = int(now)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": Webhook(secret).sign(message, datetime.fromtimestamp(at, UTC), body.decode()),
    }

"""What whoever runs the server is shown of webhooks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.predictions.base import Delivery
from gateway.predictions.record import Record
from gateway.webhooks import address


def show(record: Record, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """A prediction's webhook and every try to call it; times are unix seconds."""
    ends = [delivery for delivery in deliveries if delivery.happening == "completed"]
    return {
        "object": "webhook",
        "id": record.id,
        "model": record.model,
        "namespace": record.owner,
        "key": record.key,
        "status": record.ending.status if record.ending else None,
        "completed": record.ending.completed if record.ending else None,
        "address": address.shown(record.hook.url) if record.hook else None,
        "events": list(record.hook.happenings) if record.hook else [],
        "told": record.told,
        "delivered": any(delivery.arrived for delivery in ends),
        "tries": [show_try(delivery) for delivery in deliveries],
    }


def show_try(delivery: Delivery) -> dict[str, Any]:
    """One try."""
    fields: dict[str, Any] = msgspec.structs.asdict(delivery)
    fields["event"] = fields.pop("happening")
    return {"object": "delivery", "arrived": delivery.arrived, **fields}

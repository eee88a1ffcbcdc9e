"""Predictions for tests: records, logs, and schemas as Cog writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engines.base import Accepted, Delta, Kept, Prompt
from gateway.events import Event, Finished, Opened, Timings, Usage
from gateway.generation import Generation, state_after
from gateway.log.local import Log
from gateway.predictions.record import Record, id_of

EPOCH = "k3f9a2xq"
CREATED = 1_763_629_200.25
GENERATION = "gen_" + "0123456789abcdef" * 2
ADDRESS = "https://gw.example/replicate/v1"
RECORD = Record(
    id=id_of(GENERATION),
    generation=GENERATION,
    owner="ann",
    key="key_1",
    model="acme/llama",
    version="a" * 64,
    created=CREATED,
    address=ADDRESS,
)
ASKED = {"prompt": "hi"}
TEXT = Prompt(texts=("hi",))
PREDICTOR = Prompt(inputs=ASKED)

OPENED = Opened(GENERATION, "llama", CREATED)
ACCEPTED = Accepted(3)
TIMINGS = Timings(1.0, 1.25, 3.0)
FINISHED = Finished("stop", Usage(3, 8), TIMINGS)
PICTURE = Kept("f1", "a.png", "image/png", 7)


def output_of(schema: dict[str, Any]) -> dict[str, Any]:
    """A version's OpenAPI document with that output."""
    return {"components": {"schemas": {"Output": schema}}}


ONE = output_of({"type": "string", "format": "uri"})
PLAIN_LIST = output_of({"type": "array", "items": {"type": "string"}})
ITERATOR = output_of({"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"})
CONCATENATED = output_of(
    {
        "type": "array",
        "items": {"type": "string"},
        "x-cog-array-type": "iterator",
        "x-cog-array-display": "concatenate",
    }
)


def address_of(kept: Kept) -> str:
    return f"https://gw.example/files/{kept.id}"


def said(*texts: str) -> list[Event]:
    return [Delta(0, text) for text in texts]


def log_of(events: Sequence[Event], prompt: Prompt = TEXT) -> Log:
    """A log of these events, as a store keeps it."""
    generation = Generation(
        id=GENERATION, owner="ann", model="llama", prompt=prompt, created=CREATED, asked=dict(ASKED)
    )
    log = Log(generation, EPOCH)
    log.extend(events)
    for event in events:
        generation.state = state_after(generation.state, event)
    return log

"""A whole generation as one JSON object: what is known of it now."""

from __future__ import annotations

from typing import Any

from engines.base import Prompt
from gateway.events import Canceled, Delta, Failed, Finished
from gateway.log.local import Log
from gateway.wire import watch
from gateway.wire.answers import Choice


def snapshot(log: Log) -> dict[str, Any]:
    """The answer of GET /v1/streams/{id} to who wants JSON."""
    generation = log.generation
    choices = [Choice() for _ in range(generation.prompt.choices)]
    end: dict[str, Any] = {}
    for event in log.between(log.first, log.tail + 1):
        if isinstance(event, Delta):
            choices[event.choice].add(event)
        elif isinstance(event, Finished | Failed | Canceled):
            end = watch.ending(event)
    return {
        "id": generation.id,
        "object": "stream",
        "model": generation.model,
        "state": generation.state,
        "created": generation.created,
        "epoch": log.epoch,
        "tail": log.tail,
        "prompt": _prompt(generation.prompt),
        "choices": [{"index": index, **_said(choice)} for index, choice in enumerate(choices)],
        "usage": end.get("usage"),
        "error": end.get("error"),
    }


def _prompt(prompt: Prompt) -> dict[str, Any]:
    if prompt.is_chat:
        return {"messages": prompt.messages}
    return {"prompt": prompt.texts[0] if len(prompt.texts) == 1 else prompt.texts}


def _said(choice: Choice) -> dict[str, Any]:
    said: dict[str, Any] = {"text": "".join(choice.text), "finish_reason": choice.finish}
    if choice.reasoning:
        said["reasoning"] = "".join(choice.reasoning)
    if choice.tool_calls:
        said["tool_calls"] = list(choice.tool_calls.values())
    return said

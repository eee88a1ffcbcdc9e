"""The surfaces by name. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from loadtest.address import Address
from loadtest.plan import Plan
from loadtest.surfaces.base import EVENT_STREAM, Talk
from loadtest.surfaces.openai import Completion
from loadtest.surfaces.replicate import Prediction
from loadtest.surfaces.socket import Socket
from loadtest.surfaces.watch import Watcher
from loadtest.workloads import Asked


def talk(plan: Plan, address: Address, number: int) -> Talk:
    """Return the request of that number."""
    return _SURFACES[plan.surface](plan, address, number)


def body(plan: Plan, asked: Asked) -> dict[str, Any]:
    """Return a request as OpenAI's chat has it, to be streamed."""
    return {"model": plan.shape.model, "messages": [*asked.messages], **_parameters(plan, asked)}


def _chat(plan: Plan, address: Address, number: int) -> Talk:
    asked = plan.work.ask(number)
    question = _posted(address, "/v1/chat/completions", body(plan, asked))
    return Completion(question, plan.harm(number, asked.max_tokens))


def _completions(plan: Plan, address: Address, number: int) -> Talk:
    asked = plan.work.ask(number)
    said = {"model": plan.shape.model, "prompt": asked.text, **_parameters(plan, asked)}
    return Completion(_posted(address, "/v1/completions", said), plan.harm(number, asked.max_tokens))


def _socket(plan: Plan, address: Address, number: int) -> Talk:
    asked = plan.work.ask(number)
    return Socket(address, body(plan, asked), plan.harm(number, asked.max_tokens))


def _replicate(plan: Plan, address: Address, number: int) -> Talk:
    asked = plan.work.ask(number)
    inputs: dict[str, Any] = {"messages": [*asked.messages], "max_tokens": asked.max_tokens}
    if plan.shape.temperature is not None:
        inputs["temperature"] = plan.shape.temperature
    return Prediction(address, plan.shape.model, inputs, plan.harm(number, asked.max_tokens))


def _watch(plan: Plan, address: Address, number: int) -> Talk:
    place = number % len(plan.watched)
    harm = plan.harm(number, plan.work.ask(place).max_tokens)
    return Watcher(address, plan.watched[place], harm)


def _parameters(plan: Plan, asked: Asked) -> dict[str, Any]:
    """Return what OpenAI's bodies have in common."""
    said: dict[str, Any] = {
        "max_tokens": asked.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if plan.shape.ignore_eos:
        said["ignore_eos"] = True
    if plan.shape.temperature is not None:
        said["temperature"] = plan.shape.temperature
    return said


def _posted(address: Address, path: str, said: dict[str, Any]) -> bytes:
    return address.request("POST", path, json.dumps(said).encode(), EVENT_STREAM)


_SURFACES: Final[Mapping[str, Callable[[Plan, Address, int], Talk]]] = {
    "chat": _chat,
    "completions": _completions,
    "websocket": _socket,
    "replicate": _replicate,
    "watch": _watch,
}
SURFACES: Final = tuple(_SURFACES)

"""A whole generation as one JSON object: what is known of it now."""

from __future__ import annotations

from typing import Any

from engines.base import Prompt
from gateway.events import Canceled, Delta, Failed, Finished
from gateway.log.local import Log
from gateway.wire import watch


def snapshot(log: Log) -> dict[str, Any]:
    """The answer of GET /v1/streams/{id} to who wants JSON."""
    generation = log.generation
    choices = [_Choice() for _ in range(generation.prompt.choices)]
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
        "choices": [{"index": index, **choice.said()} for index, choice in enumerate(choices)],
        "usage": end.get("usage"),
        "error": end.get("error"),
    }


def _prompt(prompt: Prompt) -> dict[str, Any]:
    if prompt.is_chat:
        return {"messages": prompt.messages}
    return {"prompt": prompt.texts[0] if len(prompt.texts) == 1 else prompt.texts}


class _Choice:
    """One answer, put together again."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None

    def add(self, delta: Delta) -> None:
        self._text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        for fragment in delta.tool_calls:
            self._fit(fragment)
        self._finish = delta.finish or self._finish

    def said(self) -> dict[str, Any]:
        said: dict[str, Any] = {"text": "".join(self._text), "finish_reason": self._finish}
        if reasoning := "".join(self._reasoning):
            said["reasoning"] = reasoning
        if self._calls:
            said["tool_calls"] = list(self._calls.values())
        return said

    def _fit(self, fragment: dict[str, Any]) -> None:
        function = fragment.get("function") or {}
        call = self._calls.setdefault(fragment["index"], {"id": None, "type": "function", "function": {}})
        call["id"] = fragment.get("id") or call["id"]
        whole = call["function"]
        whole["name"] = function.get("name") or whole.get("name")
        whole["arguments"] = whole.get("arguments", "") + (function.get("arguments") or "")

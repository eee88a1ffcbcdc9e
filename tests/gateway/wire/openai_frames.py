"""Reading OpenAI streams in tests: what a client makes of the frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from engines.base import Prompt
from gateway.call import Call
from gateway.events import Event
from gateway.generation import Generation
from gateway.keys import LOCAL
from gateway.log.local import Log

EPOCH = "k3f9a2xq"


def call_of(prompt: Prompt | None = None) -> Call:
    generation = Generation(id="gen_7", owner="local", model="m", prompt=prompt or Prompt(texts=("a",)), created=5.5)
    return Call(id="7", key=LOCAL, surface="test", created=5.5, generation=generation)


def log_of(events: Sequence[Event] = ()) -> Log:
    log = Log(call_of().generation, EPOCH)
    log.extend(events)
    return log


class Frame:
    """One server-sent event: its id, and its data (JSON, or `[DONE]`)."""

    def __init__(self, written: str) -> None:
        fields = [line.partition(": ") for line in written.split("\n")]
        assert all(colon for _, colon, _ in fields), written
        self.names = [name for name, _, _ in fields]
        self.id = next((value for name, _, value in fields if name == "id"), None)
        self.comment = next((value for name, _, value in fields if name == ""), None)
        data = next((value for name, _, value in fields if name == "data"), None)
        self.data: Any = json.loads(data) if data not in (None, "[DONE]") else data


def frames_of(stream: bytes) -> list[Frame]:
    """The frames of a stream; it must consist of whole ones."""
    assert not stream or stream.endswith(b"\n\n")
    return [Frame(written) for written in stream.decode().split("\n\n")[:-1]]


class Heard:
    """What a client knows of one choice."""

    def __init__(self) -> None:
        self.role: str | None = None
        self.text = ""
        self.reasoning = ""
        self.tool_calls: dict[int, list[str]] = {}
        self.logprobs: list[Any] = []
        self.finish: str | None = None

    def add(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or choice.get("message") or {}
        self.role = delta.get("role") or self.role
        self.text += delta.get("content") or choice.get("text") or ""
        self.reasoning += delta.get("reasoning_content") or ""
        for place, fragment in enumerate(delta.get("tool_calls") or ()):
            said = self.tool_calls.setdefault(fragment.get("index", place), ["", "", ""])
            said[0] = fragment.get("id") or said[0]
            said[1] += fragment["function"].get("name") or ""
            said[2] += fragment["function"].get("arguments") or ""
        told = choice["logprobs"] or {}
        self.logprobs += told.get("content") or list(zip(*(told.get(name, []) for name in COLUMNS), strict=True))
        assert self.finish is None, "nothing comes after the finish"
        self.finish = choice["finish_reason"]


COLUMNS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


def heard(bodies: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What a client knows of each choice after these chunks, or after one plain answer."""
    choices: dict[int, Heard] = {}
    for body in bodies:
        for choice in body["choices"]:
            choices.setdefault(choice["index"], Heard()).add(choice)
    return {
        index: vars(choice) | {"tool_calls": sorted(choice.tool_calls.items())} for index, choice in choices.items()
    }

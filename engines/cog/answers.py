"""What a predictor's server tells of a prediction, as chunks. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from engines.base import JSON, UNTOLD, Chunk, Delta, LogLine, Measured, Output
from engines.cog.document import Gives
from engines.cog.logs import Lines
from engines.cog.server import Ended, Event
from engines.errors import EngineError

_PREFIX: Final = re.compile(r"^(?:(?:Prediction failed|Generator iteration error|Async generator iteration error): )+")
_INPUT: Final = re.compile(r"^Input validation error: (?P<why>.*)", re.DOTALL)
_OUT_OF_MEMORY: Final = re.compile(r"out of memory|OutOfMemory|MemoryError|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)
_CRASHED: Final = re.compile(r"worker crashed", re.IGNORECASE)


class Answer:
    """One prediction's answer, event by event: a text where it `speaks`, else outputs."""

    def __init__(self, gives: Gives, choice: int = 0, *, speaks: bool = False, most: int | None = None) -> None:
        self._gives = gives
        self._choice = choice
        self._speaks = speaks
        self._most = most
        """How many tokens a text may have, where that was said; each piece counts as one."""
        self._told = 0
        self._list: list[JSON] = []
        """A list that comes value by value and is one output."""
        self._logged = 0
        self._lines = Lines()
        self._metrics: dict[str, JSON] = {}
        self.ended: Ended | None = None

    def read(self, event: Event) -> list[Chunk]:
        """The chunks of one event. Raises EngineError where it tells a failure."""
        data = event.data
        match event.name:
            case "start":
                return []
            case "output":
                self._told += 1
                return self._output(data.get("chunk"))
            case "log":
                return self._log(str(data.get("data", "")))
            case "metric":
                return self._metric(str(data["name"]), data.get("value"), str(data.get("mode", "replace")))
            case "completed":
                self.ended = msgspec.convert(data, Ended)
                return self._end(self.ended)
            case _:
                raise EngineError("engine_failed", f"The model's server gave up: {data.get('error') or data}.")

    def _output(self, value: JSON) -> list[Chunk]:
        if self._gives is Gives.LIST:
            self._list.append(value)
            return []
        if not self._speaks:
            return [Output(value)]
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return [Delta(self._choice, text, (UNTOLD,))] if text else []

    def _log(self, text: str) -> list[Chunk]:
        self._logged += len(text)
        lined = self._lines.read(text)
        return [LogLine(lined)] if lined else []

    def _metric(self, name: str, value: JSON, mode: str) -> list[Chunk]:
        match mode, self._metrics.get(name):
            case "incr", int() | float() as before:
                value = before + value
            case "append", before:
                value = [*(before if isinstance(before, list) else []), value]
        self._metrics[name] = value
        return [Measured(name, value)]

    def _end(self, ended: Ended) -> list[Chunk]:
        rest = self._log(ended.logs[self._logged :])
        for name, value in ended.metrics.items():
            if self._metrics.get(name) != value and not isinstance(value, dict):
                rest.append(Measured(name, value))
        if ended.status == "succeeded":
            rest += self._last(ended.output)
            cut = self._most is not None and self._told >= self._most
            return [*rest, Delta(self._choice, finish="length" if cut else "stop")]
        return rest

    def _last(self, output: JSON) -> list[Chunk]:
        """What has not come as an event: a list that is whole now, and all where nothing was streamed."""
        if self._told:
            return [Output(self._list)] if self._gives is Gives.LIST else []
        if self._gives is Gives.EACH and isinstance(output, list):
            return [chunk for value in output for chunk in self._output(value)]
        if self._gives is Gives.LIST:
            return [Output(output or [])]
        if output is None:
            # Whether it may be null is for its schema to say.
            return [Output(None)] if self._gives is Gives.ONE else []
        return self._output(output)


def failure(ended: Ended) -> EngineError | None:
    """What a caller is told of a prediction that did not succeed."""
    if ended.status == "succeeded":
        return None
    if ended.status == "canceled":
        return EngineError("prediction_failed", "The model's program canceled this prediction itself.")
    told = ended.error or "The model's program failed, and did not say why."
    if _CRASHED.search(told):
        message = "The model's process ended while it predicted; it may have run out of memory."
        return EngineError("engine_died", message)
    if found := _INPUT.match(told):
        return EngineError("invalid_request", f"The model does not take these inputs: {found['why']}")
    said = _PREFIX.sub("", told)
    if _OUT_OF_MEMORY.search(said):
        return EngineError("prediction_failed", f"The model ran out of memory: {said}")
    return EngineError("prediction_failed", said)

"""What the events of a log are to the reader of a prediction: outputs, logs, metrics. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from engines.base import JSON, Delta, Kept, LogLine, Measured, Output, Prompt
from gateway.events import Canceled, Event, Failed, Note, Terminal
from gateway.predictions.record import Status

_WENT_DOWN: Final = "The server went down while this ran; create it again."

AddressOf = Callable[[Kept], str]
"""Where a file that the server keeps is downloaded."""


class Form(StrEnum):
    """What the outputs of a prediction are together."""

    TEXT = "text"
    """A list of strings that read as one when put together."""
    LIST = "list"
    ONE = "one"
    """No list: the last one is the output."""


def form(prompt: Prompt, document: Mapping[str, Any]) -> Form:
    """The form of what answers that prompt; of a predictor, by the OpenAPI document of its version."""
    if prompt.inputs is None:
        return Form.TEXT
    output: Any = document
    for name in ("components", "schemas", "Output"):
        output = output.get(name) if isinstance(output, Mapping) else None
    if not isinstance(output, Mapping) or output.get("x-cog-array-type") != "iterator":
        return Form.ONE
    return Form.TEXT if output.get("x-cog-array-display") == "concatenate" else Form.LIST


def outputs(event: Event, form: Form) -> tuple[JSON, ...]:
    """The outputs that an event brings, its files as the placeholders they have there."""
    if type(event) is Delta:
        return pieces(event.text) if event.text and event.choice == 0 else ()
    if type(event) is Output:
        is_text = form is Form.TEXT and isinstance(event.value, str) and event.value not in event.files
        return pieces(event.value) if is_text else (event.value,)
    return ()


def pieces(text: str) -> tuple[str, ...]:
    """The text, in two where a client would take it for the address of a file."""
    return (text[:1], text[1:]) if text.startswith(("https:", "data:")) else (text,)


def printed(event: Event) -> str:
    """What an event adds to the logs."""
    if type(event) is LogLine:
        return event.text
    return f"{event.message}\n" if type(event) is Note else ""


def placed(value: JSON, files: Mapping[str, Kept], address_of: AddressOf) -> JSON:
    """The value with the address of each file instead of its placeholder, however deep that stands."""
    if isinstance(value, str):
        return address_of(files[value]) if value in files else value
    if isinstance(value, list | tuple):
        return [placed(each, files, address_of) for each in value]
    if isinstance(value, dict):
        return {name: placed(each, files, address_of) for name, each in value.items()}
    return value


def outcome(end: Terminal) -> tuple[Status, str | None]:
    """The status that an end gives, and the error; of one that was stopped before its model ran it, `aborted`."""
    if isinstance(end, Failed):
        return "failed", end.message
    if not isinstance(end, Canceled):
        return "succeeded", None
    if end.by == "shutdown":
        return "failed", _WENT_DOWN
    return "aborted" if end.timings.started is None else "canceled", None


class Tale:
    """All that a log has told, added up."""

    def __init__(self, form: Form, events: Iterable[Event] = ()) -> None:
        self.form = form
        self.outputs: list[JSON] = []
        self.metrics: dict[str, JSON] = {}
        self._files: dict[int, Mapping[str, Kept]] = {}
        """By the place of the output that they are in: another one may say the same in words of its own."""
        self._printed: list[str] = []
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Hear one more event."""
        if type(event) is Delta or type(event) is Output:
            if type(event) is Output and event.files:
                self._files[len(self.outputs)] = event.files
            self.outputs += outputs(event, self.form)
        elif type(event) is Measured:
            self.metrics[event.name] = event.value
        elif text := printed(event):
            self._printed.append(text)

    @property
    def logs(self) -> str:
        return "".join(self._printed)

    def output(self, address_of: AddressOf) -> JSON:
        """The output as it is until now; None before there is any."""
        if not self.outputs:
            return None
        told = list(self.outputs)
        for place, files in self._files.items():
            told[place] = placed(told[place], files, address_of)
        return told[-1] if self.form is Form.ONE else told

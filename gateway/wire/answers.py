"""OpenAI's plain answers: the events of a whole log as one JSON object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from engines.base import Delta, Extra, TokenLogprob
from gateway.call import Call
from gateway.events import Canceled, Event, Failed, Finished
from gateway.wire import failure, logprobs
from gateway.wire.ask import Ask
from gateway.wire.usage import usage


class Choice:
    """One choice as it grows."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.tool_calls: dict[int, dict[str, Any]] = {}
        self.logprobs: list[TokenLogprob] = []
        self.finish: str | None = None
        self.stop: str | int | None = None
        self.extra = Extra({}, {}, {}, {})
        """What an upstream says beside all that."""

    def add(self, piece: Delta) -> None:
        """Grow by a piece."""
        if piece.text:
            self.text.append(piece.text)
        if piece.reasoning:
            self.reasoning.append(piece.reasoning)
        for fragment in piece.tool_calls:
            self._call(fragment)
        self.logprobs += piece.logprobs
        if piece.finish is not None:
            self.finish, self.stop = piece.finish, piece.stop
        if piece.extra is not None:
            self._keep(piece.extra)

    def _keep(self, extra: Extra) -> None:
        """A message comes in pieces, which are joined; what stands beside it is as it was said last."""
        mine = self.extra
        for name, value in extra.message.items():
            before = mine.message.get(name)
            joins = type(value) is type(before) and isinstance(value, str | list)
            mine.message[name] = before + value if joins else value
        mine.choice.update(extra.choice)
        mine.answer.update(extra.answer)
        mine.usage.update(extra.usage)

    def _call(self, fragment: dict[str, Any]) -> None:
        """Join a fragment to its call: the name comes once, the arguments in pieces."""
        fresh = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        call = self.tool_calls.setdefault(fragment.get("index", 0), fresh)
        call["id"] = fragment.get("id") or call["id"]
        function = fragment.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


class Answer:
    """One call's answer in OpenAI's dialect, growing until its log ends."""

    prefix: str
    object: str

    def __init__(self, call: Call, ask: Ask) -> None:
        self._call = call
        self._ask = ask
        self._choices = [Choice() for _ in range(ask.prompt.choices)]
        self._end: Finished | None = None

    def add(self, events: Iterable[Event]) -> None:
        """Grow by events. Raises HearthError with what the log says if the generation did not finish."""
        for event in events:
            if type(event) is Delta:
                self._choices[event.choice].add(event)
            elif isinstance(event, Finished):
                self._end = event
            elif isinstance(event, Failed | Canceled):
                raise failure.of(event)

    def body(self) -> bytes:
        """The whole answer."""
        assert self._end is not None, "an answer is told when its log has ended"
        return orjson.dumps(
            {
                "id": self.prefix + self._call.id,
                "object": self.object,
                "created": int(self._call.created),
                "model": self._call.generation.model,
                "system_fingerprint": None,
                **_together(choice.extra.answer for choice in self._choices),
                "choices": [
                    {
                        "index": index,
                        **self._said(choice),
                        "finish_reason": choice.finish,
                        **({} if choice.stop is None else {"stop_reason": choice.stop}),
                        **choice.extra.choice,
                    }
                    for index, choice in enumerate(self._choices)
                ],
                "usage": usage(self._end.usage, _together(choice.extra.usage for choice in self._choices)),
            }
        )

    def _said(self, choice: Choice) -> dict[str, Any]:
        raise NotImplementedError


def _together(said: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for each in said for name, value in each.items()}


class ChatAnswer(Answer):
    """`chat.completion`."""

    prefix = "chatcmpl-"
    object = "chat.completion"

    def _said(self, choice: Choice) -> dict[str, Any]:
        calls = [choice.tool_calls[index] for index in sorted(choice.tool_calls)]
        text = "".join(choice.text)
        message: dict[str, Any] = {"role": "assistant", "content": None if calls and not text else text}
        message["refusal"] = None
        message |= choice.extra.message
        if choice.reasoning:
            message["reasoning_content"] = "".join(choice.reasoning)
        if calls:
            message["tool_calls"] = calls
        return {"message": message, "logprobs": logprobs.chat(choice.logprobs) if choice.logprobs else None}


class TextAnswer(Answer):
    """`text_completion`."""

    prefix = "cmpl-"
    object = "text_completion"

    def _said(self, choice: Choice) -> dict[str, Any]:
        told = logprobs.text(choice.logprobs, 0) if choice.logprobs else None
        return {"text": "".join(choice.text), "logprobs": told}

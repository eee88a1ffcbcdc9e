"""OpenAI's streams: a chat's chunks and a completion's.

A token costs one small encoding: what is the same in every chunk of a call is encoded when the call begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from engines.base import Delta
from gateway.call import Call
from gateway.errors import HearthError
from gateway.events import Canceled, Event, Failed, Finished, Progress
from gateway.log.local import Reader
from gateway.wire import failure, logprobs
from gateway.wire.ask import Ask
from gateway.wire.fold import fold
from gateway.wire.usage import usage
from gateway.wire.watch import portion

_CHOICES: Final = b',"choices":['


class Chunks:
    """One call's stream in OpenAI's dialect, for one reader from the beginning.

    With `resumable`, each frame begins with the position it leads to, good for /v1/streams/{id}.
    """

    prefix: str
    object: str

    def __init__(self, call: Call, ask: Ask, *, resumable: bool = False) -> None:
        self._model = call.generation.model
        self._resumable = resumable
        # What another one's run said is said again as that was: in pieces.
        self._piecewise = call.how != "run"
        self._include_usage = ask.include_usage
        self._beside_counts: dict[str, Any] = {}
        self._epoch = b""
        self._said_to = 0
        head = {
            "id": self.prefix + call.id,
            "object": self.object,
            "created": int(call.created),
            "model": self._model,
        }
        self._head = b"data: " + orjson.dumps(head)[:-1] + _CHOICES
        self._foot = b'],"usage":null}\n\n' if ask.include_usage else b"]}\n\n"

    def frames(self, reader: Reader) -> bytes:
        """Take what the reader has and say it; empty when nothing of it is for this surface."""
        self._epoch = reader.log.epoch.encode()
        said = []
        for offset, event in self._portion(reader):
            said.append(self._say(offset, event))
            self._said_to = offset
        return b"".join(said)

    def _portion(self, reader: Reader) -> Sequence[tuple[int, Event]]:
        start, stop, _ = portion(reader)
        events = reader.take(stop - start)
        return list(enumerate(events, start)) if self._piecewise else fold(start, events, exact=self._resumable)

    def cut(self, code: str) -> bytes:
        """Say that this connection ends early (`draining`, `slow_reader`)."""
        return _error(HearthError(code))

    def _say(self, offset: int, event: Event) -> bytes:
        if type(event) is Delta:
            if event.extra is not None:
                self._beside_counts |= event.extra.usage
            return self._delta(offset, event)
        if isinstance(event, Progress):
            return _comment(event, self._model)
        if isinstance(event, Finished):
            return self._end(offset, event)
        if isinstance(event, Failed | Canceled):
            return self._at(offset) + _error(failure.of(event))
        return b""

    def _delta(self, offset: int, piece: Delta) -> bytes:
        raise NotImplementedError

    def _end(self, offset: int, end: Finished) -> bytes:
        done = self._at(offset) + b"data: [DONE]\n\n"
        if not self._include_usage:
            return done
        told = b'],"usage":' + orjson.dumps(usage(end.usage, self._beside_counts)) + b"}\n\n"
        return self._at(self._said_to) + self._head + told + done

    def _at(self, offset: int) -> bytes:
        return b"id: %b-%d\n" % (self._epoch, offset) if self._resumable else b""

    def _chunk(self, offset: int, choice: bytes, beside: dict[str, Any] | None = None) -> bytes:
        # What stands beside `choices` goes before them: there the head ends.
        head = self._beside(beside) if beside else self._head
        return b"".join((self._at(offset), head, choice, self._foot))

    def _beside(self, fields: dict[str, Any]) -> bytes:
        return self._head.removesuffix(_CHOICES) + b"," + orjson.dumps(fields)[1:-1] + _CHOICES


class ChatChunks(Chunks):
    """`chat.completion.chunk`: the first of each choice names the role."""

    prefix = "chatcmpl-"
    object = "chat.completion.chunk"

    def __init__(self, call: Call, ask: Ask, *, resumable: bool = False) -> None:
        super().__init__(call, ask, resumable=resumable)
        self._begun: set[int] = set()

    def _delta(self, offset: int, piece: Delta) -> bytes:
        head = b""
        if piece.choice not in self._begun:
            self._begun.add(piece.choice)
            role = b'{"index":%d,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'
            # Of the piece itself nothing is said yet: whoever is cut here goes on before it.
            head = self._chunk(self._said_to, role % piece.choice)
        if piece.finish is not None or piece.reasoning or piece.tool_calls or piece.logprobs or piece.extra:
            return head + self._chunk(offset, orjson.dumps(_chat_choice(piece)), _answer_fields(piece))
        if not piece.text:
            return head
        plain = b'{"index":%d,"delta":{"content":%b},"logprobs":null,"finish_reason":null}'
        return head + self._chunk(offset, plain % (piece.choice, orjson.dumps(piece.text)))


class TextChunks(Chunks):
    """`text_completion`."""

    prefix = "cmpl-"
    object = "text_completion"

    def __init__(self, call: Call, ask: Ask, *, resumable: bool = False) -> None:
        super().__init__(call, ask, resumable=resumable)
        self._said: dict[int, int] = {}

    def _delta(self, offset: int, piece: Delta) -> bytes:
        if piece.finish is not None or piece.logprobs or piece.extra:
            said = self._said.get(piece.choice, 0)
            self._said[piece.choice] = said + sum(len(each.token) for each in piece.logprobs)
            return self._chunk(offset, orjson.dumps(_text_choice(piece, said)), _answer_fields(piece))
        if not piece.text:
            return b""
        plain = b'{"index":%d,"text":%b,"logprobs":null,"finish_reason":null}'
        return self._chunk(offset, plain % (piece.choice, orjson.dumps(piece.text)))


def _comment(waiting: Progress, model: str) -> bytes:
    """What is waited for, in a line that every client passes over."""
    words = " ".join(waiting.message.split())
    about = "" if waiting.ready_s is None else f" (about {max(1, round(waiting.ready_s))} s)"
    return f": {waiting.stage} {model}: {words}{about}\n\n".encode()


def _chat_choice(piece: Delta) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    if piece.reasoning:
        delta["reasoning_content"] = piece.reasoning
    if piece.text:
        delta["content"] = piece.text
    if piece.tool_calls:
        delta["tool_calls"] = piece.tool_calls
    if piece.extra:
        delta = piece.extra.message | delta
    return {
        "index": piece.choice,
        "delta": delta,
        "logprobs": logprobs.chat(piece.logprobs) if piece.logprobs else None,
        "finish_reason": piece.finish,
        **_stop(piece),
        **_choice_fields(piece),
    }


def _text_choice(piece: Delta, said: int) -> dict[str, Any]:
    return {
        "index": piece.choice,
        "text": piece.text,
        "logprobs": logprobs.text(piece.logprobs, said) if piece.logprobs else None,
        "finish_reason": piece.finish,
        **_stop(piece),
        **_choice_fields(piece),
    }


def _stop(piece: Delta) -> dict[str, Any]:
    """vLLM's addition: which stop string or token it was."""
    return {} if piece.stop is None else {"stop_reason": piece.stop}


def _choice_fields(piece: Delta) -> dict[str, Any]:
    """An upstream's additions."""
    return {} if piece.extra is None else piece.extra.choice


def _answer_fields(piece: Delta) -> dict[str, Any]:
    return {} if piece.extra is None else piece.extra.answer


def _error(error: HearthError) -> bytes:
    return b"data: " + orjson.dumps(failure.body(error)) + b"\n\n"

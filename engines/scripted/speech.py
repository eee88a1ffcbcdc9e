"""One answer of the scripted engine, a token at a time. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from engines.base import Accepted, Delta, Prompt, Said, TokenLogprob
from engines.errors import EngineError
from engines.scripted.script import Script


class Speech:
    """What is said to one prompt, after what was `said`: `begin`, then `next` as long as it `goes_on`.

    The words are made from the prompt, so that a crossed answer is seen. Raises EngineError `context_length_exceeded`
    and `cannot_continue`.
    """

    def __init__(self, script: Script, prompt: Prompt, said: tuple[Said, ...]) -> None:
        self._script = script
        self._prompt = prompt
        self._length = min(script.length, int(prompt.parameters.get("max_tokens") or script.length))
        asked = _asked(prompt)
        words = len(asked.split())
        if words > script.context_length:
            raise EngineError("context_length_exceeded", f"At most {script.context_length} words fit.")
        if any(not one.finished and one.tokens and (one.tool_calls or not script.continues) for one in said):
            raise EngineError("cannot_continue", "The script does not go on from here.")
        self.accepted = Accepted(words)
        self.step = 0
        """Tokens that each choice was given here."""
        self._pieces = script.pieces
        self._mark = hashlib.sha256(asked.encode()).hexdigest()[:6]
        said = said or (Said(),) * prompt.choices
        self._speaking = {choice: len(one.tokens) for choice, one in enumerate(said) if not one.finished}

    @property
    def goes_on(self) -> bool:
        """Whether any choice has more to say."""
        return bool(self._speaking)

    def begin(self) -> Iterator[Delta]:
        """The ends of those choices that had said all."""
        for choice in [choice for choice, index in self._speaking.items() if index >= self._length]:
            del self._speaking[choice]
            yield Delta(choice, finish="length" if self._length < self._script.length else "stop")

    def next(self) -> Iterator[Delta]:
        """A token of each choice."""
        self.step += 1
        for choice, index in list(self._speaking.items()):
            delta = self._delta(choice, index)
            if delta.finish is None:
                self._speaking[choice] = index + 1
            else:
                del self._speaking[choice]
            yield delta

    def _delta(self, choice: int, index: int) -> Delta:
        finish = None
        if index == self._length - 1:
            finish = "length" if self._length < self._script.length else "stop"
        if self._script.tool is not None:
            return self._tool_delta(choice, index, last=finish is not None)
        text, parameters = self._word(choice, index), self._prompt.parameters
        logprobs = (TokenLogprob(text, -0.5, ((text, -0.5),)),) if parameters.get("logprobs") else ()
        delta = Delta(choice, text, (index,), finish, logprobs=logprobs)  # type: ignore[arg-type]
        return _stopped(delta, parameters["stop"]) if parameters.get("stop") else delta

    def _tool_delta(self, choice: int, index: int, *, last: bool) -> Delta:
        head = {"index": 0, "id": "call_scripted", "type": "function"} if index == 0 else {"index": 0}
        name = {"name": self._script.tool} if index == 0 else {}
        arguments = '{"token": 0}' if last else ""
        call = head | {"function": name | {"arguments": arguments}}
        return Delta(choice, tokens=(index,), tool_calls=(call,), finish="tool_calls" if last else None)

    def _word(self, choice: int, index: int) -> str:
        if self._pieces:
            return self._pieces[index % len(self._pieces)]
        return f"{' ' if index else ''}{self._mark}.{choice}.{index}".ljust(self._script.word_bytes, "~")


def _stopped(delta: Delta, stops: list[str]) -> Delta:
    """The delta, cut before a stop string if one stands in it."""
    for stop in stops:
        before, found, _ = delta.text.partition(stop)
        if found:
            return msgspec.structs.replace(delta, text=before, finish="stop", stop=stop)
    return delta


def _asked(prompt: Prompt) -> str:
    if prompt.is_chat:
        return " ".join(str(message.get("content")) for message in prompt.messages)
    return " ".join(str(text) for text in prompt.texts)

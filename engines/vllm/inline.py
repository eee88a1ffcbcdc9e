"""A short prompt is rendered at once, in the loop: to hand it to a thread and back takes longer than to do it.

A thread also waits for the interpreter, up to five milliseconds each way, while the loop is busy with a burst. What is
long, or is more than text, keeps its thread: it must not hold up the streams.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from typing import Any, Final

from engines.base import Prompt

_LETTERS: Final = 4096
"""Of template and tokenizer together a fraction of a millisecond."""
_MESSAGES: Final = 64
_PLAIN: Final = frozenset({"role", "content", "name"})
_TO_TEMPLATES: Final = frozenset({"tools", "documents", "chat_template", "chat_template_kwargs", "media_io_kwargs"})


class Inline:
    """Stands in front of the threads of vLLM's renderer."""

    def __init__(self, threads: Executor) -> None:
        self._submit: Callable[..., Future[Any]] = threads.submit
        self._short: ContextVar[bool] = ContextVar("short", default=False)
        vars(threads)["submit"] = self._run

    def heed(self, prompt: Prompt) -> None:
        """What the calling task renders from here on is this prompt."""
        self._short.set(is_short(prompt))

    def _run(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        if not self._short.get():
            return self._submit(work, *given, **named)
        done: Future[Any] = Future()
        try:
            done.set_result(work(*given, **named))
        except Exception as error:  # noqa: BLE001
            # Whoever waits for it is told, as by a thread.
            done.set_exception(error)
        return done


def is_short(prompt: Prompt) -> bool:
    """Whether it is text alone, in few messages, and little of it. What else a template is given may be anything."""
    if len(prompt.messages) + len(prompt.texts) > _MESSAGES or not prompt.parameters.keys().isdisjoint(_TO_TEMPLATES):
        return False
    letters = sum(len(text) for text in prompt.texts)
    for message in prompt.messages:
        if not message.keys() <= _PLAIN or not all(isinstance(value, str) for value in message.values()):
            return False
        letters += sum(map(len, message.values()))
    return letters <= _LETTERS

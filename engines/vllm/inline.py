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
    """Whether it is text alone, and little of it."""
    letters = 0
    for part in (*(message.get("content") for message in prompt.messages), *prompt.texts):
        if part is not None and not isinstance(part, str | tuple):
            return False
        letters += len(part or ())
    return letters <= _LETTERS and not prompt.parameters.get("tools")

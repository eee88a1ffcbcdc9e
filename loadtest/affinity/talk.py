"""Conversations held with a server: each turn is sent with all that was said before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from loadtest.address import Address
from loadtest.affinity.mix import Conversation
from loadtest.exchange import Exchange, post
from loadtest.stream import Answer

_ANSWER_S: Final = 60.0


@dataclass(slots=True)
class Turn:
    """What one turn came to: its number, seconds to its first text, and tokens of its prompt that were cached."""

    number: int
    first: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    error: str | None = None


class Spoken:
    """A streamed answer, kept: it is part of the next turn's prompt."""

    def __init__(self) -> None:
        self.first: float | None = None
        """When its first text came, in seconds since it was asked for."""
        self.text = ""
        self.usage: dict[str, Any] = {}
        self._answer = Answer()

    @property
    def status(self) -> int:
        """Of HTTP; 0 while there is none."""
        return self._answer.status

    def feed(self, data: bytes, now: float) -> bool:
        for event in self._answer.feed(data):
            payload = event.removeprefix(b"data: ")
            if payload.startswith(b"{"):
                self._take(json.loads(payload), now)
        return self._answer.ended

    def _take(self, said: dict[str, Any], now: float) -> None:
        self.usage = said.get("usage") or self.usage
        for choice in said.get("choices", ()):
            if content := choice["delta"].get("content"):
                self.text += content
                self.first = now if self.first is None else self.first


async def talk(address: Address, model: str, conversations: Sequence[Conversation], answer_tokens: int) -> list[Turn]:
    """Hold all of them at once; every turn of each, until one fails."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_hold(address, model, each, answer_tokens)) for each in conversations]
    return [turn for task in tasks for turn in task.result()]


async def _hold(address: Address, model: str, conversation: Conversation, answer_tokens: int) -> list[Turn]:
    messages = conversation.opening()
    asked = {"model": model, "max_tokens": answer_tokens, "ignore_eos": True, "temperature": 0, "stream": True}
    asked["stream_options"] = {"include_usage": True}
    turns: list[Turn] = []
    for number, (wait, said) in enumerate(zip(conversation.waits, conversation.turns, strict=True), 1):
        await asyncio.sleep(wait)
        messages.append({"role": "user", "content": said})
        turn, text = await _ask(address, json.dumps({**asked, "messages": messages}).encode(), number)
        turns.append(turn)
        if turn.error is not None:
            break
        messages.append({"role": "assistant", "content": text})
    return turns


async def _ask(address: Address, body: bytes, number: int) -> tuple[Turn, str]:
    answer, turn = Spoken(), Turn(number)
    try:
        async with asyncio.timeout(_ANSWER_S):
            exchange = await Exchange.open(address)
            try:
                await exchange.ask(post(address, "/v1/chat/completions", body, "connection: close\r\n"), answer)
            finally:
                exchange.close()
    except (OSError, TimeoutError) as error:
        turn.error = type(error).__name__
    if answer.status not in (0, 200):
        turn.error = f"status {answer.status}"
    elif turn.error is None and not answer.usage:
        turn.error = "cut_off"
    turn.first = answer.first
    turn.prompt_tokens = answer.usage.get("prompt_tokens", 0)
    turn.cached_tokens = (answer.usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return turn, answer.text

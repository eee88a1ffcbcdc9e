"""Equal questions are answered by one run: whoever asks first begins it, all others follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from cache.base import Entry, Unavailable
from gateway.admission import Gate, Spared
from gateway.caching import Caching, Question
from gateway.call import How
from gateway.errors import HearthError
from gateway.events import Delta, Event, Finished
from gateway.following import Following
from gateway.generation import Generation
from gateway.keys import Key
from gateway.log.base import Logs
from gateway.log.folding import incomplete
from gateway.log.local import Log
from gateway.wire.cache_control import Told

_BEGIN_S: Final = 5.0
"""A run that is unknown so long after its claim never began: its replica died in between."""
_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.2


class Found(NamedTuple):
    """The log that answers a question, how it came to, and what the caller is told of that."""

    log: Log
    how: How
    told: Told | None
    headers: Mapping[str, str] = {}
    copied: bool = False
    """Whether the log is the call's own, though another one's run answers: it says what that one says."""

    @property
    def own(self) -> bool:
        """Whether nobody else reads this log as an answer to a question of theirs."""
        return self.copied or self.how == "run"


Begin = Callable[[Generation], Awaitable[Found]]
"""Begins a run. Raises HearthError when there is no room or no money for it."""


class Sharing:
    """Finds the run that answers, or has it begun."""

    def __init__(self, caching: Caching, logs: Logs, gate: Gate, following: Following) -> None:
        self._caching = caching
        self._logs = logs
        self._gate = gate
        self._following = following

    async def find(self, question: Question, generation: Generation, begin: Begin) -> Found:
        """The log that answers: a kept one, that of a run under way, or that of this generation, which then begins.

        Without the store every question has a run of its own.
        """
        instead, pause = None, _FIRST_PAUSE_S
        while True:
            try:
                entry = await self._caching.claim(question, generation, instead)
            except Unavailable:
                found = await begin(generation)
                return found._replace(told=Told("BYPASS", why="unavailable"))
            if entry is None:
                return await self._lead(question, generation, begin)
            log = await self._log(entry, generation)
            if log is not None and _answers(entry, log):
                return _told(question, entry, log)
            if log is None and entry.answer is None and entry.age_s < _BEGIN_S:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                instead = entry.generation

    async def find_kept(self, question: Question, generation: Generation) -> Found:
        """What is there without a run of one's own. Raises HearthError `not_cached`."""
        try:
            entry = await self._caching.look(question)
        except Unavailable:
            entry = None
        log = await self._log(entry, generation) if entry is not None else None
        if entry is None or log is None or not _answers(entry, log):
            raise HearthError("not_cached")
        return _told(question, entry, log)

    async def follow(self, found: Found, key: Key, again: Callable[[], Awaitable[Found]]) -> AsyncGenerator[Event]:
        """What the found log says, but for its end. Where its run fails before it has said a word, asks once more.

        Raises HearthError with what the log says if it did not finish.
        """
        for last in (False, True):
            silent = True
            try:
                async with aclosing(self._following.events(found.log)) as events:
                    async for event in events:
                        silent = silent and not isinstance(event, Delta)
                        yield event
                self.shared(found, key)
                return
            except HearthError as error:
                if last or not silent or not may_ask_again(found, error):
                    raise
            found = await again()

    def shared(self, found: Found, key: Key) -> None:
        """Note that a call was answered by a run of somebody else's, once that has ended."""
        end = found.log.between(found.log.tail, found.log.tail + 1)[0]
        if found.how == "run" or not isinstance(end, Finished):
            return
        timings = end.timings
        seconds = max(0.0, (timings.total or 0.0) - (timings.started or 0.0))
        self._gate.spared(Spared(key, found.log.generation.model, found.how, end.usage, seconds))

    async def _lead(self, question: Question, generation: Generation, begin: Begin) -> Found:
        generation.shared = question.shared
        try:
            found = await begin(generation)
        except BaseException:
            await self._caching.release(generation)
            raise
        return found._replace(told=Told("MISS", question.shared.key, why=question.why))

    async def _log(self, entry: Entry, asks: Generation) -> Log | None:
        """The log behind an entry, if it is there: the kept answer as one, or that of the run under way."""
        if entry.answer is not None:
            return self._caching.unfold(entry.answer, msgspec.structs.replace(asks, id=entry.generation))
        try:
            return await self._logs.open(entry.generation, asks.owner)
        except HearthError:
            return None


def _answers(entry: Entry, log: Log) -> bool:
    """Whether the log answers, or may come to. What was kept was looked at then."""
    return entry.answer is not None or not log.ended or incomplete(log) is None


def _told(question: Question, entry: Entry, log: Log) -> Found:
    key = question.shared.key
    if entry.answer is not None:
        return Found(log, "hit", Told("HIT", key, entry.age_s, entry.ttl_s, entry.generation))
    return Found(log, "join", Told("JOIN", key, source=entry.generation))


def may_ask_again(found: Found, error: HearthError) -> bool:
    """Whether a call that only followed may ask anew: what befell the run it followed is none of its doing."""
    return found.how == "join" and not found.copied and (error.row.may_retry or error.code == "canceled")

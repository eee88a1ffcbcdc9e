"""Equal questions are answered by one run: whoever asks first begins it, all others follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from cache.base import Entry
from gateway.admission import Gate, Spared
from gateway.caching import Caching, Question
from gateway.call import How
from gateway.errors import HearthError
from gateway.events import Delta, Event, Finished
from gateway.following import Follower
from gateway.generation import Generation
from gateway.keys import Key
from gateway.log.base import Logs
from gateway.log.folding import incomplete
from gateway.log.local import Log
from gateway.readers import Readers
from gateway.runner import Source
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
    run: Generation | None = None
    """Where the log is made of another run's, for this call alone, and is not to be found by its id: that run."""
    copied: bool = False
    """Whether the log is made of another run's, for this call alone."""

    @property
    def own(self) -> bool:
        """Whether nobody else reads this log as an answer to a question of theirs."""
        return self.copied or self.how == "run"


Begin = Callable[[Generation], Awaitable[Found]]
"""Begins a run. Raises HearthError when there is no room or no money for it."""


class Sharing:
    """Finds the run that answers, or has it begun."""

    def __init__(self, caching: Caching, logs: Logs, gate: Gate, readers: Readers) -> None:
        self._caching = caching
        self._logs = logs
        self._gate = gate
        self._readers = readers

    async def find(self, question: Question, generation: Generation, begin: Begin) -> Found:
        """The log that answers: a kept one, that of a run under way, or that of this generation, which then begins."""
        instead, pause = None, _FIRST_PAUSE_S
        while True:
            entry = await self._caching.claim(question, generation, instead)
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
        entry = await self._caching.look(question)
        log = await self._log(entry, generation) if entry is not None else None
        if entry is None or log is None or not _answers(entry, log):
            raise HearthError("not_cached")
        return _told(question, entry, log)

    def follow(self, found: Found, key: Key, again: Callable[[], Awaitable[Found]], *, whole: bool) -> Source:
        """What the found log says, but for its end; it is followed from now on.

        Where its run fails before its caller was told a word, asks once more; a caller who wants the `whole` answer
        is told nothing before its end. Raises HearthError with what the log says if it did not finish.
        """
        follower = Follower(found.log, self._logs, self._readers)
        return Source(self._events(follower, found, key, again, whole), follower.close)

    async def _events(
        self, follower: Follower, found: Found, key: Key, again: Callable[[], Awaitable[Found]], whole: bool
    ) -> AsyncGenerator[Event]:
        for last in (False, True):
            silent = True
            try:
                held = []
                async with aclosing(follower.events()) as events:
                    async for event in events:
                        if whole:
                            held.append(event)
                            continue
                        silent = silent and not isinstance(event, Delta)
                        yield event
                for event in held:
                    yield event
                self.shared(found, key)
                return
            except HearthError as error:
                if last or not silent or found.how != "join" or not (error.row.may_retry or error.code == "canceled"):
                    raise
            found = await again()
            follower.move(found.log)

    def shared(self, found: Found, key: Key) -> None:
        """Note that a call was answered by a run of somebody else's, which has ended."""
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

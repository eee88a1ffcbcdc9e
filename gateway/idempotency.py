"""Retries: a call with an idempotency key finds the generation that an earlier call began."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from engines.base import Prompt
from gateway.claims.base import Claim, Claims
from gateway.errors import TABLE, HearthError
from gateway.events import Canceled, Failed
from gateway.generation import Generation
from gateway.log.base import Logs
from gateway.log.local import Log

BEGIN_S: Final = 5.0
"""A generation that is unknown so long after its claim never began: its replica died in between."""

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.2

_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)


class Idempotency:
    """Sees to it that all calls of one owner with one key are answered by one generation."""

    def __init__(self, claims: Claims, logs: Logs, begin_s: float = BEGIN_S) -> None:
        self._claims = claims
        self._logs = logs
        self._begin_s = begin_s

    @asynccontextmanager
    async def claimed(self, key: str | None, generation: Generation, surface: str) -> AsyncIterator[Generation | None]:
        """Take a key for a fresh generation, and give it back if the block cannot begin that.

        Gives the earlier generation instead, if one has the key and is the answer to this ask too; nothing to do then.
        Raises HearthError `invalid_request`, `idempotency_mismatch`, `expired`, `log_unavailable`.
        """
        if key is None:
            yield None
            return
        name = name_of(generation.owner, key)
        mine = Claim(generation.id, digest(surface, generation.model, generation.prompt))
        earlier = await self._earlier(name, mine, generation.owner)
        try:
            yield earlier
        except BaseException:
            if earlier is None:
                await self._claims.release(name, generation.id)
            raise

    async def sweep(self) -> None:
        """Look after the store of claims; called every few seconds."""
        await self._claims.sweep()

    async def close(self) -> None:
        """Let go of the store of claims."""
        await self._claims.close()

    async def _earlier(self, name: str, mine: Claim, owner: str) -> Generation | None:
        instead, pause = None, _FIRST_PAUSE_S
        while (held := await self._claims.claim(name, mine, instead)) is not None:
            if held.digest != mine.digest:
                raise HearthError("idempotency_mismatch")
            log = await self._log(held, owner)
            if log is not None and stands(log):
                return log.generation
            if log is not None or held.age_s >= self._begin_s:
                instead = held.generation
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        return None

    async def _log(self, held: Claim, owner: str) -> Log | None:
        """The log of the generation that has the key; None when it is unknown: not begun yet, or never."""
        try:
            return await self._logs.open(held.generation, owner)
        except HearthError as error:
            if error.code == "unknown_generation":
                return None
            if error.code == "expired":
                # It was answered once, and paid for: to generate anew is for the caller to decide.
                raise HearthError("expired", _EXPIRED) from None
            raise


_EXPIRED: Final = "This Idempotency-Key was answered, and the answer is no longer kept; to ask anew, send a new key."


def name_of(owner: str, key: str) -> str:
    """What stands for an owner's key where claims are kept. Raises HearthError `invalid_request`."""
    if not _KEY.fullmatch(key):
        raise HearthError(
            "invalid_request",
            "An Idempotency-Key is 1 to 255 visible ASCII characters, without blanks.",
            parameter="Idempotency-Key",
        )
    return hashlib.sha256(msgspec.msgpack.encode((owner, key))).hexdigest()


def digest(surface: str, model: str, prompt: Prompt) -> str:
    """The meaning of an ask: the same for two bodies exactly if the same is asked on the same surface."""
    meant = msgspec.structs.replace(prompt, passing={})
    # The order of a JSON object's members means nothing.
    return hashlib.sha256(msgspec.msgpack.encode((surface, model, meant), order="deterministic")).hexdigest()


def stands(log: Log) -> bool:
    """Whether what became of a generation is the answer to a retry too; else the retry generates anew.

    A failure that may be retried is none, nor is an end for want of readers or at a shutdown: no caller chose those.
    """
    if not log.ended:
        return True
    [end] = log.between(log.tail, log.tail + 1)
    match end:
        case Failed():
            return not TABLE[end.code].may_retry
        case Canceled():
            return end.by == "caller"
    return True

"""Which answers are given again, and to whom: the cache as the gateway uses it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from cache.base import Cache, Entry, Fresh, Label
from cache.fingerprint import fingerprint
from cache.memory import CLAIM_S
from engines.base import Prompt, Traits
from gateway.generation import Generation, Shared, new_id
from gateway.keys import Key, Sharing
from gateway.log.folding import Folding, incomplete
from gateway.log.local import Log
from gateway.metrics import Metrics
from gateway.wire.cache_control import Control

_RENEW_S: Final = CLAIM_S / 12
_UNBOOTED_TTL_S: Final = 60.0
"""Nobody finds an answer again that was made before its model said its version."""

_log = logging.getLogger(__name__)


class Policy(NamedTuple):
    """What of a model is given again, and for how long."""

    sharing: Sharing = "deterministic"
    ttl_s: float = 3600.0


class Question(NamedTuple):
    """An ask by its fingerprint, and what its caller wants of an answer."""

    shared: Shared
    fresh: Fresh
    why: str = "miss"
    """Why it is not simply looked up, in a word of RFC 9211."""


class Bypass(NamedTuple):
    """An ask that has nothing to do with the cache, and why."""

    why: str


def decide(sharing: Sharing, key: Key, prompt: Prompt, defaults: Mapping[str, Any], control: Control) -> str | None:
    """Why an answer is not shared, in a word; None when it may be.

    Whoever says `off` has the last word, be it the model or the key; else the call decides, then the key, then
    the model.
    """
    if control.no_store:
        return "no-store"
    if prompt.inputs is not None:
        # What it gives are files as often as not, which go with their owner's prediction.
        return "predictor"
    if "off" in (sharing, key.cache):
        return "off"
    if control.use or (key.cache or sharing) == "all":
        return None
    temperature = prompt.parameters.get("temperature", defaults.get("temperature", 1.0))
    return None if temperature == 0 or "seed" in prompt.parameters else "not-deterministic"


class Caching:
    """Asks the store, and keeps what may be kept. A store that may be away is given as a Fallback."""

    def __init__(self, cache: Cache, policies: Mapping[str, Policy], default: Policy, metrics: Metrics) -> None:
        self.store = cache
        self._policies = policies
        self._default = default
        self._metrics = metrics
        self._folding = Folding()
        self._unbooted = new_id("unbooted")
        self._renewed_at = 0.0

    @property
    def available(self) -> bool:
        """Whether all that is kept could be asked for when it was last."""
        return self.store.available

    def question(self, model: str, traits: Traits, prompt: Prompt, key: Key, control: Control) -> Question | Bypass:
        """What to look for, if anything."""
        policy = self._policies.get(model, self._default)
        defaults = traits.defaults(prompt)
        why = decide(policy.sharing, key, prompt, defaults, control)
        if why is not None:
            return Bypass(why)
        # Until a model has booted it has not said what it is: only what is asked here meanwhile can be the same.
        version = traits.version or self._unbooted
        ttl_s = policy.ttl_s if control.ttl_s is None else min(control.ttl_s, policy.ttl_s)
        name = fingerprint(
            (key.namespace, control.namespace or ""),
            model,
            version,
            prompt.messages if prompt.is_chat else [prompt.texts],
            prompt.parameters,
            defaults,
        )
        shared = Shared(name, ttl_s if traits.version else min(ttl_s, _UNBOOTED_TTL_S))
        if control.no_cache or control.max_age_s == 0:
            return Question(shared, Fresh(max_age_s=0), "request")
        return Question(shared, Fresh(control.max_age_s, control.min_fresh_s))

    async def claim(self, question: Question, generation: Generation, instead: str | None = None) -> Entry | None:
        """The entry that answers, or None when this run is to."""
        label = Label(generation.owner, generation.model, generation.key)
        return await self.store.claim(question.shared.key, generation.id, question.fresh, label, instead)

    async def look(self, question: Question) -> Entry | None:
        """The entry that answers, if one does."""
        entry = await self.store.look(question.shared.key)
        return entry if entry is not None and question.fresh.suffices(entry) else None

    def unfold(self, answer: bytes, generation: Generation) -> Log | None:
        """A kept answer as the log of that generation; None when it is not one that this version wrote."""
        try:
            return self._folding.unfold(answer, generation)
        except ValueError:
            _log.warning("the answer that %s gave cannot be read", generation.id)
            return None

    async def release(self, generation: Generation) -> None:
        """A run that claimed its question does not answer it."""
        if generation.shared is not None:
            await self.store.release(generation.shared.key, generation.id)

    async def ended(self, log: Log) -> None:
        """Keep the answer of a run that has ended, if it is whole; else let the next one run."""
        generation = log.generation
        shared = generation.shared
        if shared is None:
            return
        why = incomplete(log)
        if why is None and shared.ttl_s > 0:
            if not await self.store.keep(shared.key, generation.id, self._folding.fold(log), shared.ttl_s):
                why = "let-go"
        else:
            await self.release(generation)
        if why is not None:
            self._metrics.answer_not_kept(generation.model, why)

    async def renew(self, running: Iterable[Generation], now: float) -> None:
        """Have the claims of what runs here last, and the store keep itself in order; called every second or so."""
        if now - self._renewed_at < _RENEW_S:
            return
        self._renewed_at = now
        await self.store.renew({each.shared.key: each.id for each in running if each.shared is not None})
        await self.store.sweep()

    async def close(self) -> None:
        """Let go of the store."""
        await self.store.close()

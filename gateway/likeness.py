"""Answers to questions that were asked before in other words, for models that have an embedding model beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from cache.base import Fresh, Label, Which
from cache.fingerprint import fingerprint
from cache.semantic import Question as Asked
from cache.semantic import Semantic
from cache.single import single
from engines.base import State
from engines.model import Model
from engines.pool import Pool
from gateway.caching import Caching, Question
from gateway.embedding import Embedding
from gateway.errors import HearthError
from gateway.generation import Generation, Shared
from gateway.keys import Key
from gateway.sharing import Found, Sharing
from gateway.wire.cache_control import Control


class Likes(NamedTuple):
    """What a model takes for a like question: by whose embeddings, from which cosine similarity, and whether only where
    the words say the same."""

    embedder: str
    threshold: float
    careful: bool = True


class Likeness:
    """Looks for like questions before a run is begun, and remembers those that were."""

    def __init__(
        self,
        semantic: Semantic,
        embedding: Embedding,
        pool: Pool,
        caching: Caching,
        models: Mapping[str, Likes],
    ) -> None:
        self._semantic = semantic
        self._embedding = embedding
        self._pool = pool
        self._caching = caching
        self._models = models

    async def find(
        self,
        model: Model,
        question: Question,
        run: Generation,
        key: Key,
        control: Control,
        sharing: Sharing,
        exact: Callable[[], Awaitable[Found]],
    ) -> Found:
        """What answers a like question, where nothing stands for this very one; else what `exact` finds."""
        likes = self._models.get(model.name)
        asked = self._asked(model, likes, run, key, control) if likes is not None and control.semantic else None
        if likes is None or asked is None or question.fresh == Fresh(max_age_s=0) or await self._stands(question):
            return await exact()

        async def embed(text: str) -> bytes | None:
            return await self._embedding.at_once(self._pool.models[likes.embedder], text, key)

        sought = await self._semantic.find(asked, embed, likes.threshold, careful=likes.careful)
        for near in sought.found:
            like = question._replace(shared=Shared(near.fingerprint, question.shared.ttl_s))
            try:
                found = await sharing.find_kept(like, run)
            except HearthError:
                # An entry that is only too old for this caller stays for others.
                if question.fresh == Fresh():
                    await self._semantic.forget(asked, near)
                continue
            return found._replace(told=found.told and found.told._replace(similarity=near.similarity))
        found = await exact()
        if found.how == "run":
            await self._semantic.learn(asked, sought, question.shared.key, question.shared.ttl_s)
        return found

    def _asked(self, model: Model, likes: Likes, run: Generation, key: Key, control: Control) -> Asked | None:
        """The ask as one question; None when it is none, or when either model has not said yet what it is."""
        traits, embedder = model.traits, self._pool.models[likes.embedder]
        prompt = run.prompt
        found = single(prompt.messages, prompt.parameters)
        if found is None:
            return None
        if embedder.state is State.COLD:
            # Not for this question, which does not wait for it, but for those to come.
            self._pool.warm(likes.embedder)
        if traits.version is None or embedder.traits.version is None:
            return None
        whose = (key.namespace, control.namespace or "")
        # Named as no whole ask is, so that it is nobody's fingerprint.
        rest = ["like", found.rest]
        scope = fingerprint(whose, model.name, traits.version, rest, prompt.parameters, traits.defaults(prompt))
        return Asked(found.text, scope, embedder.traits.version, Label(key.namespace, model.name, key.id))

    async def purge(self, which: Which) -> None:
        """Forget the questions of answers that are let go of. Raises Unavailable."""
        await self._semantic.purge(which)

    async def close(self) -> None:
        """Let go of the index of questions."""
        await self._semantic.close()

    async def _stands(self, question: Question) -> bool:
        return await self._caching.look(question) is not None

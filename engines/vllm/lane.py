"""One prompt under way in the engine host, and how much of it was in the prefix cache."""

from __future__ import annotations

import asyncio

from vllm.outputs import RequestOutput

from engines.base import Accepted
from engines.vllm.rendering import Job


class Lane:
    """The task that renders a prompt and adds it, then its requests in the engine."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.requests: list[str] = []
        self._prompt_tokens = self._jobs = 0
        self._cached: dict[int, int] = {}
        """By the first choice of each job that has given anything: tokens of its prompt that were in the cache."""

    def count(self, prompt_tokens: int, jobs: int) -> None:
        """Note how long its prompts are together, and how many jobs they are."""
        self._prompt_tokens, self._jobs = prompt_tokens, jobs

    def cached(self, job: Job, output: RequestOutput) -> Accepted | None:
        """What there is to say of the prompt when the last of its jobs begins to answer, if any of it was cached."""
        if job.choice in self._cached:
            return None
        self._cached[job.choice] = output.num_cached_tokens or 0
        # What was said before, of an answer that goes on, is no part of the prompt.
        tokens = min(sum(self._cached.values()), self._prompt_tokens)
        return Accepted(self._prompt_tokens, tokens) if tokens and len(self._cached) == self._jobs else None

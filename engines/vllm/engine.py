"""The gateway's side of a vLLM engine: sends prompts to its host, reads what it says."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator

from engines.base import Chunk, Delta, Embeddings, Prompt, Report, Said, Traits
from engines.errors import EngineError
from engines.vllm import wire
from engines.vllm.hosting import Hosting
from engines.vllm.link import Lane, Link


class VllmEngine:
    """One model on vLLM, in a host process."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._link: Link | None = None
        self._traits = Traits()

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return len(self._link.lanes) if self._link else 0

    @property
    def pid(self) -> int | None:
        """The host's process, while it runs and is nobody else's."""
        return self._hosting.pid

    async def start(self, report: Report) -> None:
        link = self._link = Link(report)
        try:
            with tempfile.TemporaryDirectory(prefix="hearth-", dir=_short_folder()) as folder:
                ready = await self._meet(link, os.path.join(folder, "host"), report)
        except OSError as error:
            raise EngineError(
                "boot_failed",
                f"The socket to the engine could not be made: {error}. Set TMPDIR to a folder with room to write in.",
            ) from error
        self._traits = Traits(
            context_length=ready.context_length,
            parameters=ready.parameters,
            chat=ready.chat,
            embeds=ready.embeds,
            version=ready.version,
            chat_defaults=ready.chat_defaults,
            text_defaults=ready.text_defaults,
        )

    async def _meet(self, link: Link, path: str, report: Report) -> wire.Ready:
        server = await asyncio.get_running_loop().create_unix_server(lambda: link, path)
        try:
            await self._hosting.call(path, link, report)
            return await asyncio.shield(link.ready)
        finally:
            # Nobody else may connect; the link stays.
            server.close()

    async def stop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await self._hosting.part(link)
            link.end("The engine was stopped.")

    async def leave(self) -> None:
        await self.stop()

    async def close(self) -> None:
        await self.stop()
        await self._hosting.close()

    async def invite(self, path: str) -> bool:
        """Have the host serve the gateway that listens at that path as well; False when it is gone."""
        return self._link is not None and await self._link.invite(path)

    async def died(self) -> str:
        assert self._link is not None
        return await asyncio.shield(self._link.died)

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        link = self._living()
        lane: Lane[Chunk]
        number, lane = link.open()
        # The first `Accepted`, and a finish for each choice that has none yet.
        accepted, left = False, prompt.choices - sum(one.finished for one in said)
        try:
            link.say(wire.Start(number, id, prompt, said))
            while left or not accepted:
                chunk = lane.chunks.popleft() if lane.chunks else await lane.next()
                accepted = True
                if isinstance(chunk, Delta) and chunk.finish is not None:
                    left -= 1
                yield chunk
        finally:
            del link.lanes[number]
            if (left or not accepted) and lane.error is None:
                link.say(wire.Abort(number))

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        link = self._living()
        lane: Lane[Embeddings]
        number, lane = link.open()
        embeddings = None
        try:
            link.say(wire.Embed(number, id, prompt))
            embeddings = await lane.next()
            return embeddings
        finally:
            del link.lanes[number]
            if embeddings is None and lane.error is None:
                link.say(wire.Abort(number))

    async def beat(self) -> None:
        if self._traits.embeds:
            await self.embed("beat", Prompt(texts=((0,),)))
            return
        prompt = Prompt(texts=((0,),), parameters={"max_tokens": 1})
        async for _ in self.generate("beat", prompt):
            pass

    def _living(self) -> Link:
        if self._link is None or self._link.died.done():
            raise EngineError("engine_died", "The engine is not running.")
        return self._link

    async def metrics(self) -> str:
        link = self._link
        if link is None or not link.ready.done() or link.died.done():
            return ""
        return await link.metrics()


def _short_folder() -> str | None:
    """Where sockets go when the system's choice has too long a name for one (108 bytes, unix(7))."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > 80 else None

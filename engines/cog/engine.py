"""A predictor that was packaged with Cog, as an engine: run from its folder here, or in a container elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress

import msgspec

from engines.base import UNTOLD_SCHEMA, Chunk, Embeddings, Prompt, Report, Said, Traits
from engines.cog import document, environment, introspection, running
from engines.cog.file_server import FileServer
from engines.cog.introspection import Looked
from engines.cog.predictor import Predictor
from engines.cog.running import Running
from engines.cog.source import Container, Recipe
from engines.cog.version import version_of
from engines.errors import EngineError
from engines.registry import Predictors


class CogEngine:
    """One predictor, cold or up."""

    def __init__(self, source: Container | Recipe, predictors: Predictors) -> None:
        self._source = source
        self._cache = predictors.cache.expanduser()
        self._passed = predictors.passed
        self._installing = {**predictors.passed, **predictors.installing}
        self._porter = predictors.porter
        self._predictor: Predictor | None = None
        """While it is started."""
        self._running = 0
        self._report: Report = _nobody
        """Who waits for a boot."""
        self._preparing = asyncio.Lock()
        """So that what is told of the predictor is what is booted."""
        self._traits = Traits(embeds=False, schema=UNTOLD_SCHEMA)
        if isinstance(source, Recipe):
            with suppress(OSError):
                version = version_of(source)
                self._know(introspection.remembered(self._cache, version), version)

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return self._running

    async def look(self) -> None:
        """Find out what it takes and gives, so that `traits` have its schema, and boot nothing.

        May take as long as its environment takes to be made. Raises EngineError `boot_failed`.
        """
        async with self._preparing:
            if self._traits.schema is not UNTOLD_SCHEMA:
                return
            with _boot_failed():
                if isinstance(self._source, Container):
                    self._know(await running.glance(self._source), None)
                else:
                    await self._prepare(self._source, lambda stage: self._report(stage))

    async def start(self, report: Report) -> None:
        # A look that is under way makes what this boot needs too.
        self._report = report
        try:
            async with self._preparing:
                with _boot_failed():
                    await self._start(report)
        finally:
            self._report = _nobody

    async def _start(self, report: Report) -> None:
        file_server = None
        try:
            if isinstance(self._source, Container):
                up, looked = await self._find(self._source, report)
            else:
                looked, python = await self._prepare(self._source, report)
                file_server = await self._open()
                one = file_server is not None and document.read(looked.document).gives_one_file
                upload = file_server.upload_url if file_server and one else None
                up = await running.begin(self._source, python, looked, self._passed, upload, report)
        except BaseException:
            if file_server is not None:
                await file_server.close()
            raise
        facts = document.read(looked.document)
        if isinstance(self._source, Recipe):
            # Its server is given a document by which every predictor streams, and null stands for what is left out.
            facts = facts._replace(says_streams=True, left_out=document.left_out(looked.document))
        self._predictor = Predictor(up, facts, looked.concurrency, self._porter, file_server)

    async def stop(self) -> None:
        predictor, self._predictor = self._predictor, None
        if predictor is not None:
            await predictor.close()

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()

    async def close(self) -> None:
        await self.stop()

    async def died(self) -> str:
        return await self._living().running.ended()

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        predictor = self._living()
        self._running += 1
        try:
            async with aclosing(predictor.answer(id, prompt, said)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._running -= 1

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        raise EngineError("invalid_request", "Predictors make no embeddings here.", parameter="model")

    async def beat(self) -> None:
        """Ask how it is: what a prediction would take is known to nobody."""
        health = await self._living().running.server.health()
        if health.status not in running.UP:
            raise EngineError("engine_failed", f"The model's server says that it is {health.status}.")

    async def metrics(self) -> str:
        return ""

    async def _find(self, container: Container, report: Report) -> tuple[Running, Looked]:
        up = await running.find(container, report)
        try:
            looked = Looked(await up.server.document(), container.concurrency)
            self._know(looked, None)
        except BaseException:
            await up.close()
            raise
        return up, looked

    async def _prepare(self, recipe: Recipe, report: Report) -> tuple[Looked, str]:
        """What is to be known of the predictor, and the interpreter that has all it needs."""
        report(f"reading {recipe.folder.name}")
        version = await asyncio.to_thread(version_of, recipe)
        if recipe.ignored:
            report(f"cog.yaml's {', '.join(recipe.ignored)} cannot be had without a container, and are left out")
        python = recipe.python or await environment.find(recipe, self._cache, self._installing, report)
        looked = introspection.remembered(self._cache, version)
        if looked is None:
            report("looking at the predictor")
            told = {**self._passed, **recipe.environment}
            looked = await introspection.look(recipe.folder, recipe.reference, python, told)
            await asyncio.to_thread(introspection.remember, self._cache, version, looked)
        self._know(looked, version)
        return msgspec.structs.replace(looked, concurrency=max(looked.concurrency, recipe.concurrency or 1)), python

    async def _open(self) -> FileServer | None:
        if self._porter is None:
            return None
        file_server = FileServer(self._porter)
        await file_server.open()
        return file_server

    def _know(self, looked: Looked | None, version: str | None) -> None:
        """Tell what is known of the predictor, which may be before it ever ran here."""
        if looked is None:
            self._traits = msgspec.structs.replace(self._traits, version=version)
            return
        text = document.read(looked.document).text
        self._traits = Traits(
            chat=text is not None,
            embeds=False,
            parameters=text.parameters if text else frozenset(),
            version=version,
            schema=looked.document,
            chat_defaults=text.defaults if text else {},
            text_defaults=text.defaults if text else {},
        )

    def _living(self) -> Predictor:
        if self._predictor is None:
            raise EngineError("engine_died", "The engine is not running.")
        return self._predictor


def _nobody(stage: str) -> None:
    """Nobody waits."""


@contextmanager
def _boot_failed() -> Iterator[None]:
    """Raises EngineError `boot_failed` for what went wrong while it boots, or is looked at."""
    try:
        yield
    except OSError as error:
        raise EngineError("boot_failed", f"{error.filename or 'The model'}: {error.strerror}.") from error
    except EngineError as error:
        raise EngineError("boot_failed", error.message) from error

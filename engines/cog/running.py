"""A predictor's server that runs: begun from a folder, or found at an address; and how one knows that it is well."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from engines.base import Report
from engines.cog import document, lost_files, process
from engines.cog.introspection import Looked
from engines.cog.lost_files import Losses
from engines.cog.process import Program
from engines.cog.server import CogServer, Health
from engines.cog.source import Container, Recipe
from engines.cog.workdir import Workdir
from engines.errors import EngineError

_LOOK_S: Final = 0.1
"""How often a server that boots is looked at."""
_WATCH_S: Final = 5.0
"""How often one that is up is."""
_MISSES: Final = 3
"""How often in a row one may not answer that."""
_END_S: Final = 1.0
"""How long a process may take to end whose server has broken off an answer."""
UP: Final = ("READY", "BUSY")
_LONGEST_TOLD: Final = 1000
"""Letters of what a setup printed that are told."""

_log = logging.getLogger(__name__)


class Running(NamedTuple):
    """A server that is up."""

    server: CogServer
    program: Program | None
    """Its process, where it was begun here."""
    workdir: Workdir | None
    found_broken: asyncio.Event
    """Set when a prediction found that its worker is gone."""
    losses: Losses | None = None
    """Which output files were not there, where its log is read here."""

    async def ended(self) -> str:
        """Wait until it can predict no more; why."""
        watches = [asyncio.create_task(_until_unwell(self.server), name=f"health of {self.server.host}")]
        watches.append(asyncio.create_task(self._until_found(), name=f"worker of {self.server.host}"))
        if self.program is not None:
            watches.append(asyncio.create_task(_until_over(self.program), name=f"end of {self.server.host}"))
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)

    async def explain(self, error: EngineError) -> EngineError:
        """What a failure to reach it comes from, where its process has just ended."""
        if self.program is None:
            return error
        try:
            async with asyncio.timeout(_END_S):
                return EngineError("engine_died", await _until_over(self.program))
        except TimeoutError:
            return error

    async def close(self) -> None:
        """End it, where it was begun here, and let go of it."""
        await self.server.close()
        if self.program is not None:
            await self.program.close()
        if self.workdir is not None:
            await asyncio.to_thread(self.workdir.remove)

    async def _until_found(self) -> str:
        await self.found_broken.wait()
        return "The model's worker process ended."


async def begin(
    recipe: Recipe, python: str, looked: Looked, passed: Mapping[str, str], upload_url: str | None, report: Report
) -> Running:
    """Start a folder's predictor and wait until its setup is done. Raises EngineError `boot_failed`."""
    workdir = await asyncio.to_thread(Workdir, recipe.folder)
    server = program = None
    try:
        workdir.describe(document.lenient(looked.document))
        port = process.free_port()
        server = CogServer(f"http://127.0.0.1:{port}", called="The model's server")
        told = {
            "PORT": str(port),
            "COG_PREDICT_TYPE_STUB": recipe.reference,
            "COG_MAX_CONCURRENCY": str(looked.concurrency),
            "LOG_FORMAT": "json",
            "RUST_LOG": lost_files.TELLING,
        }
        surroundings = workdir.surroundings(python, passed, recipe.environment, told)
        words = [python, "-m", "cog.server.http", "--host", "127.0.0.1"]
        words += ["--upload-url", upload_url] if upload_url else []
        report("setting up the model")
        lost = Losses()
        hear = partial(_log.info, "%s: %s", recipe.folder.name)
        program = await Program.start(words, workdir.path, surroundings, hear, lost.read)
        await _until_up(server, program, recipe.start_s)
    except BaseException:
        for part in (server, program):
            if part is not None:
                await part.close()
        await asyncio.to_thread(workdir.remove)
        raise
    return Running(server, program, workdir, asyncio.Event(), lost)


async def find(container: Container, report: Report) -> Running:
    """Wait until a container at that address is up. Raises EngineError `boot_failed`."""
    server = CogServer(container.url, container.authorization)
    try:
        report(f"waiting for {server.host}")
        await _until_up(server, None, container.start_s)
    except BaseException:
        await server.close()
        raise
    return Running(server, None, None, asyncio.Event())


async def glance(container: Container) -> Looked:
    """What a container at that address takes and gives, if it answers now. Raises EngineError `engine_unreachable`."""
    server = CogServer(container.url, container.authorization)
    try:
        return Looked(await server.document(), container.concurrency)
    finally:
        await server.close()


async def _until_up(server: CogServer, program: Program | None, seconds: float) -> None:
    """Wait until its setup is done. Cog does not notice every worker that ends in its setup: the deadline does."""
    ended = asyncio.ensure_future(_until_over(program)) if program is not None else None
    try:
        async with asyncio.timeout(seconds):
            while not await _is_up(server, program):
                if ended is not None and ended.done():
                    raise EngineError("boot_failed", f"{ended.result()}{_words(program)}")
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        message = f"The model's setup was not done after {seconds:g} s.{_words(program)}"
        raise EngineError("boot_failed", message) from None
    finally:
        if ended is not None:
            ended.cancel()
            await asyncio.wait([ended])


async def _is_up(server: CogServer, program: Program | None) -> bool:
    try:
        health = await server.health()
    except EngineError:
        return False
    if health.status in ("SETUP_FAILED", "DEFUNCT", "UNHEALTHY"):
        raise EngineError("boot_failed", f"The model's setup failed.{_words(program, health)}")
    return health.status in UP


def _words(program: Program | None, health: Health | None = None) -> str:
    """The last that was printed, with what Cog says of it."""
    said = program.last_words if program is not None else ""
    logs = health.setup.logs if health is not None and health.setup is not None else ""
    lines = [line for line in (*said.splitlines(), *logs.splitlines()) if line.strip()]
    told = "\n".join(dict.fromkeys(lines))[-_LONGEST_TOLD:]
    return f" It said last:\n{told}" if told else ""


async def _until_over(program: Program) -> str:
    status = await program.ended()
    killed = " It was killed, as happens when memory runs out." if status == 128 + signal.SIGKILL else ""
    return f"The model's process ended with {status}.{killed}"


async def _until_unwell(server: CogServer) -> str:
    misses = 0
    while misses < _MISSES:
        await asyncio.sleep(_WATCH_S)
        try:
            health = await server.health()
        except EngineError:
            misses += 1
            continue
        misses = 0
        if health.status not in UP:
            return f"The model's server says that it is {health.status}."
    return f"{server.host} does not answer any more."

"""Tells whoever started the server what it serves, how its models come up, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from gateway.cli.address import is_everywhere, visit
from gateway.cli.story import Story
from gateway.cli.terminal import Screen
from gateway.settings import Settings

if TYPE_CHECKING:
    from engines.seat import Seat
    from gateway.watcher import Serving

_TICK_S: Final = 0.25


class Herald:
    """The server's watcher on the command line. `warnings` are what else is to be said at its start."""

    def __init__(
        self,
        settings: Settings,
        screen: Screen,
        warnings: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fault: str | None = None
        """Why the server was ended, where a model was named in a way that no boot can mend."""
        self._settings = settings
        self._screen = screen
        self._warnings = warnings
        self._clock = clock
        self._stories: list[Story] = []
        self._task: asyncio.Task[None] | None = None

    def listening(self, server: Serving) -> None:
        """Say what is served and where; then follow the models."""
        host, screen = self._settings.host, self._screen
        url = visit(host, server.port)
        also = ", and at every other address of this machine" if is_everywhere(host) else ""
        screen.line(f"Hearth {version('hearth-gateway')} listens at {screen.bold(url)}{also}")
        screen.line(f"  chat page   {url}/")
        screen.line(f"  OpenAI API  {url}/v1")
        screen.line(f"  Replicate   {url}/replicate")
        screen.line(f"  models      {', '.join(server.models) or 'none; name one with --model'}")
        if self._settings.workers > 1:
            screen.line(f"  workers     {self._settings.workers}")
        for line in self._warnings:
            screen.line(screen.bold(line))
        self._task = asyncio.create_task(self._follow(server), name="herald")

    def draining(self, running: int) -> None:
        """Say what is waited for."""
        if running:
            answers = "1 answer" if running == 1 else f"{running} answers"
            self._screen.line(
                f"draining: {answers} may end within {self._settings.drain_s:g} s; a second Ctrl-C does not wait"
            )
        else:
            self._screen.line("stopping")
        if self._task is not None:
            self._task.cancel()

    async def stopped(self) -> None:
        """Say goodbye."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._screen.status("")
        self._screen.line("stopped")

    async def _follow(self, server: Serving) -> None:
        async with asyncio.TaskGroup() as group:
            for seat in server.seats.values():
                group.create_task(self._follow_one(seat, server))
            if self._screen.is_terminal:
                group.create_task(self._tick())

    async def _follow_one(self, seat: Seat, server: Serving) -> None:
        story = Story(seat.name)
        self._stories.append(story)
        while True:
            error = seat.error.message if seat.error else ""
            for line in story.hear(seat.state, seat.stage, self._clock(), error):
                # On a terminal the stages pass by in the last line, and are summed up at the end.
                if not self._screen.is_terminal or line != f"{seat.name}: {seat.stage}":
                    self._screen.line(line)
            if (
                seat.error is not None
                and self._is_misnamed(seat)
                and all(map(self._is_misnamed, server.seats.values()))
            ):
                self.fault = f"{seat.name}: {seat.error.message} See `hearth serve --help`."
                server.give_up()
            await seat.change()

    def _is_misnamed(self, seat: Seat) -> bool:
        """Whether the boot at the server's start has found that no boot can mend it. Later ones end nothing."""
        table = self._settings.model.get(seat.model)
        later = table is not None and (table.active_hours or table.device)
        at_start = self._settings.preload and not later and seat.boots <= 1
        return at_start and seat.error is not None and seat.error.code == "bad_model_source"

    async def _tick(self) -> None:
        while True:
            now = self._clock()
            self._screen.status("   ".join(filter(None, (story.status(now) for story in self._stories))))
            await asyncio.sleep(_TICK_S)

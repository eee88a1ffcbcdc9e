"""How an upstream comes up and goes away: by commands of the user's, or it is there already."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from engines.base import Report
from engines.errors import EngineError
from engines.openai import command, meeting
from engines.openai.command import Program
from engines.openai.connection import Connection
from engines.openai.health import until_silent
from engines.openai.meeting import Met
from engines.openai.upstream import Upstream

_POST: Final = "POST"
_GONE_S: Final = 10.0
"""How long it may take to end after its stop command has."""
_LOOK_S: Final = 0.5
"""How often one that boots is looked for."""
_NOT_YET: Final = ("engine_busy", "engine_unreachable")


class Starting:
    """Starts and stops one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._program: Program | None = None
        self._met = False
        """Whether it was seen to run since it was last let go of."""

    async def start(self, connection: Connection, report: Report) -> Met:
        """Wait until a token comes. The start command is run where nothing is there yet.

        Raises EngineError `boot_failed`, `upstream_budget`.
        """
        if self._upstream.start:
            # Another replica may have started it, or this one before it was started anew itself.
            report(f"asking {connection.host}")
            with suppress(EngineError):
                return await self._meet(connection)
            report(f"starting {connection.host}")
            await self._begin(connection)
        told = f"waiting for {connection.host}"
        report(told)
        while True:
            try:
                return await self._meet(connection)
            except EngineError as error:
                if error.code == "upstream_budget":
                    raise
                if not self._may_come(error):
                    raise EngineError("boot_failed", error.message) from error
                if error.code == "engine_busy" and error.message != told:
                    report(told := error.message)
            if self._program is not None and self._program.failed:
                told = command.tell(self._upstream.start, self._program)
                raise EngineError("boot_failed", f"The start command of {connection.host} failed: {told}.")
            await asyncio.sleep(_LOOK_S)

    async def stop(self, connection: Connection) -> None:
        """Stop it, by the stop command if there is one, and what was started here in any case.

        Raises EngineError `engine_failed` where it may run on.
        """
        trouble = None
        if self._upstream.stop:
            failed = await self._carry_out(connection, self._upstream.stop)
            trouble = failed and f"its stop command failed, and it may still run: {failed}"
        elif self._upstream.start and self._met and not self._ours:
            trouble = "it still runs, and has no stop command"
        await self.leave()
        # A command may end before the server has: whoever came meanwhile would join one that dies.
        ends = self._upstream.stop and self._upstream.stop[0] != _POST
        if trouble is None and ends and not await until_silent(connection, _GONE_S):
            trouble = "its stop command has ended, and it still answers"
        if trouble is not None:
            raise EngineError("engine_failed", f"let go of: {trouble}")

    async def leave(self, *, others: bool = False) -> None:
        """End the program that was started here, if one was; where `others` go on with it, nothing is ended."""
        self._met = False
        if others:
            return
        program, self._program = self._program, None
        if program is not None:
            await program.close()

    def close(self) -> None:
        """Let go of a program that was left to others: it outlives this process."""
        program, self._program = self._program, None
        if program is not None:
            program.let_go()

    async def broke(self) -> str:
        """Wait until the server that was started here ends; why. For ever where it is no process of ours."""
        program = self._program
        if program is None or not program.runs:
            await asyncio.Event().wait()
            raise AssertionError
        await program.ended()
        command.tell(self._upstream.start, program)
        return f"The server ended with {program.status}."

    @property
    def _ours(self) -> bool:
        """Whether it is a program that was started here and can be ended here."""
        return self._program is not None and self._program.status != 0

    async def _meet(self, connection: Connection) -> Met:
        met = await meeting.meet(connection, self._upstream)
        self._met = True
        return met

    def _may_come(self, error: EngineError) -> bool:
        # One that is busy is there. One that is not will not come by itself.
        return error.code == "engine_busy" or (error.code in _NOT_YET and bool(self._upstream.start))

    async def _begin(self, connection: Connection) -> None:
        words = self._upstream.start
        # One that was left to others, and answers nobody any more.
        await self.leave()
        if words[0] != _POST:
            self._program = Program.start(words)
        elif (trouble := await self._carry_out(connection, words)) is not None:
            raise EngineError("boot_failed", f"The start command of {connection.host} failed: {trouble}.")

    async def _carry_out(self, connection: Connection, words: tuple[str, ...]) -> str | None:
        """Carry a command out to its end; why it failed, None if it did not."""
        if words[0] != _POST:
            return await command.run(words, self._upstream.command_s)
        try:
            status = await connection.call(words[1], self._upstream.command_s)
        except EngineError as error:
            return error.message
        return None if status < 400 else f"{words[1]} answered {status}"

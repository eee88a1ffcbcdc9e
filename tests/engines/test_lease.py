"""The say over an engine: waited for, kept, lost, and given up."""

from __future__ import annotations

import asyncio

import pytest

from engines.board import Away, MemoryBoard, Role
from engines.lease import Lease, Lost
from tests.waiting import until


class Fickle(MemoryBoard):
    """Says what it is told to: whether the say is given, or that it is away."""

    def __init__(self) -> None:
        super().__init__("here")
        self.gives: bool | None = True
        self.asked = self.resigned = 0

    async def lead(self, engine: str, role: Role, seconds: float) -> bool:
        self.asked += 1
        if self.gives is None:
            raise Away("It is away.")
        return self.gives

    async def resign(self, engine: str, role: Role) -> None:
        self.resigned += 1
        if self.gives is None:
            raise Away("It is away.")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.lease._ASK_S", 0.0)
    monkeypatch.setattr("engines.lease._RENEW_S", 0.0)


@pytest.fixture
def board() -> Fickle:
    return Fickle()


async def test_it_is_waited_for_and_that_is_told_once(board: Fickle) -> None:
    told: list[str] = []
    board.gives = False

    async def boot() -> bool:
        lease = Lease(board, "demo", "boot")
        async with lease.held(lambda: told.append("waits")):
            return lease.waited

    booting = asyncio.create_task(boot())
    await until(lambda: board.asked > 3)
    board.gives = True
    assert await booting
    assert (told, board.resigned) == (["waits"], 1)


async def test_it_is_renewed_while_it_is_held_also_while_the_board_is_away(board: Fickle) -> None:
    async with Lease(board, "demo", "boot").held(lambda: None):
        for gives in (True, None, True):
            board.gives, asked = gives, board.asked
            await until(lambda asked=asked: board.asked > asked + 3)  # type: ignore[misc]
    assert board.resigned == 1


async def test_where_the_board_is_away_everybody_has_it(board: Fickle) -> None:
    board.gives = None
    lease = Lease(board, "demo", "boot")
    async with lease.held(lambda: None):
        assert not lease.waited


async def test_whoever_lost_it_is_ended(board: Fickle) -> None:
    with pytest.raises(Lost):
        async with Lease(board, "demo", "boot").held(lambda: None):
            board.gives = False
            await asyncio.Event().wait()


async def test_a_block_that_ends_by_itself_ends_as_it_does(board: Fickle) -> None:
    with pytest.raises(TimeoutError, match="of its own"):
        async with Lease(board, "demo", "boot").held(lambda: None):
            raise TimeoutError("of its own")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), Lease(board, "demo", "boot").held(lambda: None):
            await asyncio.Event().wait()
    assert board.resigned == 2

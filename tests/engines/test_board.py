"""The board of a server by itself, and the one by which tests of several replicas go."""

from __future__ import annotations

import pytest

from engines.board import MemoryBoard
from tests.engines.board_contract import Bench, BoardContract, SharedBoardContract
from tests.engines.fleet import Fleet
from tests.turning import Turned


class TestMemoryBoard(BoardContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(MemoryBoard, lambda seconds: None)


class TestFleetBoard(SharedBoardContract):
    @pytest.fixture
    def bench(self) -> Bench:
        clock = Turned()
        return Bench(Fleet(clock).join, clock.turn)

"""The board of a server by itself."""

from __future__ import annotations

import pytest

from engines.board import MemoryBoard
from tests.engines.board_contract import Bench, BoardContract


class TestMemoryBoard(BoardContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(MemoryBoard, lambda seconds: None)

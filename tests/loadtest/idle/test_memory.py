"""What is held is read from the kernel's own accounts."""

from __future__ import annotations

import mmap
import os

from loadtest.idle.memory import Memory, held, rollup

ROLLUP = """55e348d73000-7fff572b6000 ---p 00000000 00:00 0                          [rollup]
Rss:                1776 kB
Pss:                 201 kB
Shared_Clean:       1624 kB
Private_Clean:        40 kB
Private_Dirty:       112 kB
"""


def test_uss_is_what_no_other_process_has() -> None:
    assert rollup(ROLLUP) == (152, 201)
    assert rollup("") == (0, 0)


def test_memory_that_is_written_is_held() -> None:
    before = held(os.getpid())
    # Of the kernel's own: what Python asks for may be memory that it had before.
    filled = mmap.mmap(-1, 8 << 20)
    filled.write(os.urandom(8 << 20))
    came = held(os.getpid()).less(before)

    assert len(filled) / 1024 * 0.9 < came.uss and came.uss <= came.pss + 1024
    assert before.kernel > 0


def test_a_share_is_of_what_came() -> None:
    assert Memory(300, 400, 500).less(Memory(100, 100, 100)).each(100) == Memory(2, 3, 4)

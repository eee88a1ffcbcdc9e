"""What Redis did not answer is asked again, in order and within bounds."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gateway.limits.backlog import Backlog, Told
from gateway.redis.link import Away, Script

SCRIPT = Script("return 0")


def a_backlog(calls: int) -> Backlog:
    backlog = Backlog()
    for number in range(calls):
        backlog.add(Told(SCRIPT, ["key"], [number]))
    return backlog


async def test_what_fails_again_is_kept_and_nothing_is_made_twice() -> None:
    backlog, made = a_backlog(5), list[int]()
    failures = [2]

    async def ask(script: Script, keys: list[str], arguments: list[Any]) -> None:
        if arguments == failures:
            failures.clear()
            raise Away("it is")
        made.extend(arguments)

    with pytest.raises(Away):
        await backlog.work_off(ask)
    assert made == [0, 1] and len(backlog) == 3
    await backlog.work_off(ask)
    assert made == [0, 1, 2, 3, 4] and not len(backlog)


async def test_it_is_bounded_and_says_what_was_lost(caplog: pytest.LogCaptureFixture) -> None:
    backlog, made = a_backlog(5000), list[int]()

    async def ask(script: Script, keys: list[str], arguments: list[Any]) -> None:
        made.extend(arguments)

    with caplog.at_level(logging.WARNING):
        await backlog.work_off(ask)
    assert made == list(range(5000 - 4096, 5000 - 4096 + 512))
    assert [record.getMessage() for record in caplog.records] == [
        "what 904 runs gave back of their limits is lost: Redis was away too long"
    ]
    while len(backlog):
        await backlog.work_off(ask)
    assert made[-1] == 4999 and len(made) == 4096

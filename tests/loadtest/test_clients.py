"""Client processes begin together, and none outlives its run."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from loadtest import clients
from loadtest.address import Address
from loadtest.arrivals import Closed
from loadtest.clients import ClientError, ready
from loadtest.plan import Plan, Shape
from loadtest.workloads import Distinct

NOBODY = Address("127.0.0.1", 1)
PLAN = Plan(Shape("demo"), Distinct(), Closed(4), 8, seconds=5)


def test_all_of_them_drive_and_end() -> None:
    """Each its share; nothing is left running."""
    with ready(NOBODY, 2) as go:
        done = go(PLAN, None)

    assert [each.record.errors for each in done] == [{"ConnectionRefusedError": 4}] * 2
    assert multiprocessing.active_children() == []


def test_one_that_dies_ends_the_run() -> None:
    """With a sentence, and the others with it."""
    with pytest.raises(ClientError, match="died"), ready(NOBODY, 2) as go:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
        go(PLAN, None)

    assert multiprocessing.active_children() == []


def test_one_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the plan's own end and some grace."""
    monkeypatch.setattr(clients, "_GRACE_S", -10.0)
    with pytest.raises(ClientError, match="in time"), ready(NOBODY, 2) as go:
        go(PLAN, None)

    assert multiprocessing.active_children() == []

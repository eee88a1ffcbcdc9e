"""How far a run is, is said once a second, for all client processes together."""

from __future__ import annotations

import io

from loadtest.progress import Progress, Ticker, total


def test_news_of_several_processes_are_one() -> None:
    """Added up."""
    assert total([Progress(1, 2, 30, 0), Progress(4, 5, 60, 1)]) == Progress(5, 7, 90, 1)


def test_the_speed_is_that_since_it_was_said_last() -> None:
    """And nothing is said more often than each second."""
    now, out = 100.0, io.StringIO()
    say = Ticker(out, clock=lambda: now)
    for at, tokens in ((100.2, 10), (101.0, 200), (101.5, 999), (103.0, 500)):
        now = at
        say(Progress(running=3, ended=1, tokens=tokens))

    first, second = out.getvalue().splitlines()
    assert "3 running" in first and "200 tok/s" in first and "0 errors" in first
    assert "150 tok/s" in second

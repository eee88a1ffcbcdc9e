"""Three replicas and a Redis are broken while two hundred streams are read; docs/reliability.md has the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.chaos.plan import Phase, Plan
from loadtest.chaos.run import run, scripted
from loadtest.chaos.tally import RESUMABLE

SECONDS = 10


@pytest.mark.timeout(240)
def test_no_reader_loses_or_doubles_or_waits_for_ever_for_anything_while_everything_breaks(tmp_path: Path) -> None:
    short = Phase("short", SECONDS, ("kill", "pubsub", "restart", "freeze"))
    plan = Plan(20_261_120, 200, (short,), tokens=(30, 60), cut_bytes=600)
    tally = run(plan, scripted(100), tmp_path, say=lambda text: None)
    assert not tally.failed, tally.text()
    assert tally.cuts >= 1_000
    assert set(tally.now.harms) == set(short.deeds)
    assert not [told for told in tally.now.told if told.split()[0] in RESUMABLE]
    # Each kind of reader had its share, and each harm was met.
    assert all(tally.now.whole[kind] > 20 for kind in RESUMABLE)
    assert tally.now.met["lost: closed"] and tally.now.met["renewed epoch"]

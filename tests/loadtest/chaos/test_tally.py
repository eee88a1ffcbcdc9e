"""What is counted is what is told."""

from __future__ import annotations

import json

from loadtest.chaos.tally import Tally


def counted() -> Tally:
    tally = Tally()
    for name in ("one", "two"):
        part = tally.begin(name)
        part.whole.update({"native": 3, "socket": 2, "json": 1, "again": 7})
        part.told["openai-plain draining"] += 4
        part.met["cut"] += 50
        part.totals += [1.0, 2.0, 3.0]
    return tally


def test_a_run_without_a_broken_promise_has_not_failed() -> None:
    tally = counted()
    assert not tally.failed and tally.cuts == 100
    [row] = [line for line in tally.text().splitlines() if line.startswith("| one")]
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["one", "10", "50", "5", "0", "1", "4", "7", "0"]


def test_a_broken_promise_fails_it_and_is_told_in_full() -> None:
    tally = counted()
    tally.broke("native", "lost: e-7 after e-5", generation="gen_1")
    assert tally.failed
    assert "lost: e-7 after e-5" in tally.text()
    told = json.loads(json.dumps(tally.as_json()))
    assert told["phases"][1]["broken"] == {"native lost": 1}
    assert told["violations"] == [
        {"phase": "two", "kind": "native", "what": "lost: e-7 after e-5", "generation": "gen_1"}
    ]


def test_many_broken_promises_are_all_counted() -> None:
    tally = counted()
    for number in range(200):
        tally.broke("socket", f"doubled: {number}")
    assert tally.now.broken["socket doubled"] == 200 and len(tally.violations) < 100

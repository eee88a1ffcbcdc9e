"""The load that is made is the load that was planned."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

import pytest

from loadtest.address import Address
from loadtest.arrivals import Arrivals, Bursts, Closed, Poisson
from loadtest.drivers import ALONE, Driver, Share
from loadtest.lengths import Lengths
from loadtest.plan import Harms, Plan, Shape
from loadtest.progress import Progress
from loadtest.record import Record
from loadtest.workloads import Distinct
from tests.loadtest.fake_openai import FakeOpenAI, serving


def planned(model: str, arrivals: Arrivals, requests: int, tokens: int = 20, **more: Any) -> Plan:
    return Plan(Shape(model), Distinct(tokens=Lengths.fixed(tokens)), arrivals, requests, **more)


async def drive(fake: FakeOpenAI, plan: Plan, share: Share = ALONE, begun: float | None = None) -> Record:
    async with asyncio.timeout(20):
        return await Driver(plan, Address.of(fake.url), share, begun).run()


def prompts(fake: FakeOpenAI) -> set[str]:
    return {body["messages"][0]["content"] for body in fake.asked}


async def test_a_closed_loop_keeps_as_many_streams_as_planned() -> None:
    """Each request once, never more at a time than streams."""
    async with serving() as fake:
        record = await drive(fake, planned("demo", Closed(8), 40))

    assert (record.answered, record.tokens, record.errors) == (40, 40 * 20, {})
    assert (len(prompts(fake)), fake.most_open) == (40, 8)
    assert (record.first.count, record.total.count, record.bytes > 40 * 20) == (40, 40, True)


async def test_client_processes_share_a_plan() -> None:
    """Each request is made by one of them, and all together keep as many streams as planned."""
    async with serving() as fake:
        for client in range(3):
            await drive(fake, planned("demo", Closed(4), 20), Share(client, 3))
        for client in range(3):
            await drive(fake, planned("demo", Poisson(1000), 20, seed=1), Share(client, 3))
        # More processes than streams: those without a stream have no requests either.
        for client in range(3):
            await drive(fake, planned("demo", Closed(2), 20), Share(client, 3))

    assert (len(fake.asked), len(prompts(fake))) == (60, 20)


async def test_a_closed_loop_begins_nothing_after_its_time() -> None:
    """What runs by then is answered to its end."""
    async with serving() as fake:
        record = await drive(fake, planned("demo", Closed(2), 100_000, lasting=0.2))

    assert record.errors == {} and 2 <= record.answered < 100_000


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    """Arrivals go on while earlier ones still run."""
    async with serving() as fake:
        record = await drive(fake, planned("endless", Poisson(1000), 30, tokens=2, seconds=0.5))

    assert fake.most_open == 30
    assert record.errors == {"out_of_time": 30}


async def test_times_count_from_when_a_request_was_due() -> None:
    """A generator that lags does not make the server look fast: its lag is in the times, and told beside them."""
    async with serving() as fake:
        record = await drive(fake, planned("demo", Bursts(5, 1.0), 5), begun=perf_counter() - 2.0)

    assert record.answered == 5
    assert record.sent.at(0) > 1.99 and record.first.at(0) > record.sent.at(0) * 0.99


async def test_a_plan_ends_in_time() -> None:
    """What is unfinished is given up and counted; what was never sent is not."""
    async with serving() as fake:
        record = await drive(fake, planned("endless", Closed(3), 100, tokens=2, seconds=0.3))

    assert (record.errors, record.events) == ({"out_of_time": 3}, 3 * 2)


async def test_refusals_are_counted_by_their_code() -> None:
    """And cost the plan nothing else."""
    async with serving() as fake:
        record = await drive(fake, planned("busy", Closed(2), 5))

    assert record.errors == {"429 rate_limited": 5}


async def test_what_makes_no_sense_is_an_error_of_its_request() -> None:
    """Any server may be loaded, and the others of its answers still count."""
    async with serving() as fake:
        record = await drive(fake, planned("nonsense", Closed(2), 5))

    assert record.errors == {"not_understood": 5}


async def test_a_server_that_is_not_there_is_an_error_of_each_request() -> None:
    """The run still ends with figures."""
    fake = FakeOpenAI()
    fake.url = "http://127.0.0.1:1"
    record = await drive(fake, planned("demo", Closed(1), 3))

    assert record.errors == {"ConnectionRefusedError": 3}


@pytest.mark.parametrize(("harms", "purpose"), [(Harms(cancel=1), "canceled"), (Harms(cut=1, cut_bytes=900), "cut")])
async def test_who_leaves_on_purpose_is_no_error(harms: Harms, purpose: str) -> None:
    """After a random event, or at a random byte; the rest of the answer is not read."""
    async with serving() as fake:
        record = await drive(fake, planned("demo", Closed(4), 20, tokens=50, harms=harms))

    assert (record.errors, record.purpose, record.answered) == ({}, {purpose: 20}, 0)
    assert 0 < record.events < 20 * 50


async def test_who_asks_is_told_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, until the end."""
    monkeypatch.setattr("loadtest.drivers._TELL_S", 0.01)
    told: list[Progress] = []
    async with serving() as fake:
        driver = Driver(planned("endless", Closed(3), 3, tokens=2, seconds=0.4), Address.of(fake.url))
        await driver.run(told.append)

    assert told[-1] == Progress(running=3, ended=0, tokens=6, errors=0)

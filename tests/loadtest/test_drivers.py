"""The load that is made is the load that was planned."""

from __future__ import annotations

import asyncio

import pytest

from loadtest.drivers import Address, Driver
from loadtest.plan import Plan, PlanError, Shape
from loadtest.record import Record
from tests.loadtest.fake_openai import FakeOpenAI, serving


async def drive(fake: FakeOpenAI, plan: Plan) -> Record:
    async with asyncio.timeout(20):
        return await Driver(plan, Address.of(fake.url)).run()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1:8000",
        "http://0.0.0.0:8000",
        "http://localhost.example.com",
        "http://127.0.0.1@10.0.0.1",
        "https://127.0.0.1",
        "127.0.0.1:8000",
        "",
    ],
)
def test_another_machine_is_refused(url: str) -> None:
    """Whatever it is called."""
    with pytest.raises(PlanError, match="not this machine"):
        Address.of(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000/v1"])
def test_this_machine_is_not(url: str) -> None:
    """By each of its names."""
    assert Address.of(url).port == 8000


async def test_a_closed_loop_keeps_as_many_streams_as_planned() -> None:
    """Each request once, never more at a time than streams."""
    async with serving() as fake:
        record = await drive(fake, Plan(Shape("demo", max_tokens=20), requests=40, streams=8))

    assert (record.answered, record.tokens) == (40, 40 * 20)
    assert len({body["messages"][0]["content"] for body in fake.asked}) == 40
    assert fake.most_open == 8


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    """Arrivals go on while earlier ones still run, and waiting counts from when they were due."""
    async with serving() as fake:
        record = await drive(fake, Plan(Shape("endless", max_tokens=2), requests=30, rate=1000, seconds=0.5))

    assert fake.most_open == 30
    assert record.errors == {"out_of_time": 30}


async def test_a_plan_ends_in_time() -> None:
    """What is unfinished is given up and counted; what was never sent is not."""
    async with serving() as fake:
        record = await drive(fake, Plan(Shape("endless", max_tokens=2), requests=100, streams=3, seconds=0.3))

    assert (record.errors, record.events) == ({"out_of_time": 3}, 3 * 2)


async def test_refusals_are_counted_by_their_code() -> None:
    """And cost the plan nothing else."""
    async with serving() as fake:
        record = await drive(fake, Plan(Shape("busy"), requests=5, streams=2))

    assert record.errors == {"429 rate_limited": 5}


async def test_a_server_that_is_not_there_is_an_error_of_each_request() -> None:
    """The run still ends with figures."""
    fake = FakeOpenAI()
    fake.url = "http://127.0.0.1:1"
    record = await drive(fake, Plan(Shape("demo"), requests=3))

    assert record.errors == {"ConnectionRefusedError": 3}

"""Deployments, and what they have the pool do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engines.pool import Pool
from engines.seat import Place
from gateway.catalog.cards import Cards
from gateway.catalog.deployments import Deployments
from gateway.catalog.first_seen import Dates
from gateway.catalog.served import Served
from gateway.catalog.shelf.sqlite import SqliteShelf
from gateway.errors import HearthError
from gateway.keys import LOCAL, Key
from tests.gateway.puppet import Puppet
from tests.turning import Turned


class Server(NamedTuple):
    pool: Pool
    served: Served
    deployments: Deployments
    clock: Turned


def server(shelf: SqliteShelf, *ids: str) -> Server:
    clock = Turned()
    pool = Pool([Place(id, id.split(" ")[0], Puppet()) for id in ids], clock)
    served = Served(pool, {}, lambda traits: {}, Dates(shelf, clock), Cards(shelf, clock))
    return Server(pool, served, Deployments(shelf, served, pool, clock), clock)


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[SqliteShelf]:
    shelf = SqliteShelf(tmp_path / "hearth.db")
    yield shelf
    await shelf.close()


def wanted(server: Server, model: str = "a", least: int = 0, most: int = 1) -> dict[str, object]:
    found = server.served.version(f"hearth/{model}", LOCAL)
    return {
        "model": found.listed.full_name,
        "version": found.version.id,
        "hardware": "gpu",
        "min_instances": least,
        "max_instances": most,
    }


def bounds(server: Server) -> list[tuple[bool, bool]]:
    """Of each engine whether it is kept warm, and whether it is kept cold."""
    return [(seat.is_pinned, seat.is_barred) for seat in server.pool.seats.values()]


async def test_a_deployment_runs_the_version_that_it_names(shelf: SqliteShelf) -> None:
    here = server(shelf, "a", "b")
    made = await here.deployments.add("acme/app", wanted(here, "b"), LOCAL)
    assert (made.number, made.by) == (1, "local")
    found = await here.deployments.runs("acme", "app", LOCAL)
    assert (found.listed.full_name, found.version.model) == ("hearth/b", "b")
    await here.deployments.change("acme", "app", wanted(here, "a"), LOCAL)
    assert (await here.deployments.runs("acme", "app", LOCAL)).version.model == "a"


async def test_each_change_is_a_release_of_its_own(shelf: SqliteShelf) -> None:
    here = server(shelf, "a", "a 2")
    first = await here.deployments.add("acme/app", wanted(here), LOCAL)
    here.clock.turn(10)
    second = await here.deployments.change("acme", "app", {"max_instances": 2}, LOCAL)
    assert (second.number, second.max_instances, second.version) == (2, 2, first.version)
    assert second.created == first.created + 10
    assert await here.deployments.get("acme", "app") == second
    assert await here.deployments.all() == [second]


async def test_as_many_engines_are_kept_warm_and_booted_as_it_says(shelf: SqliteShelf) -> None:
    here, there = server(shelf, "a", "a 2", "a 3"), server(shelf, "a", "a 2", "a 3")
    await here.deployments.add("acme/app", wanted(here, least=1, most=2), LOCAL)
    assert bounds(here) == [(True, False), (False, False), (False, True)]
    await there.deployments.look()
    assert bounds(there) == bounds(here)
    await here.deployments.remove("acme", "app")
    assert bounds(here) == [(False, False)] * 3
    with pytest.raises(HearthError) as gone:
        await here.deployments.get("acme", "app")
    assert gone.value.code == "unknown_deployment"


async def test_of_several_deployments_of_a_version_the_one_that_wants_most_counts(shelf: SqliteShelf) -> None:
    here = server(shelf, "a", "a 2", "a 3")
    await here.deployments.add("acme/small", wanted(here, least=0, most=1), LOCAL)
    await here.deployments.add("acme/large", wanted(here, least=2, most=2), LOCAL)
    assert bounds(here) == [(True, False), (True, False), (False, True)]
    await here.deployments.remove("acme", "large")
    assert bounds(here) == [(False, False), (False, True), (False, True)]


async def test_there_are_no_more_instances_than_engines(shelf: SqliteShelf) -> None:
    here = server(shelf, "a", "a 2")
    with pytest.raises(HearthError, match=r"hearth/a has 2 engines here, so `max_instances` is at most 2"):
        await here.deployments.add("acme/app", wanted(here, most=3), LOCAL)
    with pytest.raises(HearthError, match="less than"):
        await here.deployments.add("acme/app", wanted(here, least=2, most=1), LOCAL)
    assert await here.deployments.all() == []


async def test_a_name_is_given_once(shelf: SqliteShelf) -> None:
    here = server(shelf, "a")
    await here.deployments.add("acme/app", wanted(here), LOCAL)
    with pytest.raises(HearthError) as taken:
        await here.deployments.add("acme/app", wanted(here), LOCAL)
    assert taken.value.code == "name_taken"


async def test_a_key_cannot_run_by_a_deployment_what_it_may_not_ask(shelf: SqliteShelf) -> None:
    here = server(shelf, "a", "b")
    await here.deployments.add("acme/app", wanted(here, "a"), LOCAL)
    key = Key(id="k", name="k", namespace="k", models=("b",))
    told = set()
    for name in ("app", "none"):
        for ask in (here.deployments.runs, here.deployments.seen):
            with pytest.raises(HearthError) as refused:
                await ask("acme", name, key)
            told.add((refused.value.code, refused.value.message.replace(name, "NAME")))
    # Nothing says which of them is there.
    assert [code for code, _ in told] == ["unknown_deployment"]


async def test_what_changes_nothing_is_no_release(shelf: SqliteShelf) -> None:
    here = server(shelf, "a", "a 2")
    first = await here.deployments.add("acme/app", wanted(here), LOCAL)
    here.clock.turn(10)
    for said in ({}, {"max_instances": 1}, {"version": first.version}):
        assert await here.deployments.change("acme", "app", said, LOCAL) == first
    assert (await here.deployments.change("acme", "app", {"min_instances": 1}, LOCAL)).number == 2


async def test_a_deployment_of_what_is_served_no_more_stops_nothing_else(shelf: SqliteShelf) -> None:
    here, other = server(shelf, "a"), server(shelf, "b", "b 2")
    await here.deployments.add("acme/app", wanted(here, "a"), LOCAL)
    await other.deployments.look()
    assert bounds(other) == [(False, False)] * 2

"""Versions that are pushed while the server runs."""

from __future__ import annotations

import fcntl
import io
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from obstore.store import MemoryStore, ObjectStore

from engines import contents
from engines.base import State, Traits
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from gateway.catalog.archives import pack
from gateway.catalog.cards import Cards
from gateway.catalog.depot import Depot
from gateway.catalog.first_seen import Dates
from gateway.catalog.labels import Labels
from gateway.catalog.pushing import Pushes
from gateway.catalog.records import Push
from gateway.catalog.rounds import Rounds
from gateway.catalog.served import Served
from gateway.catalog.shelf.sqlite import SqliteShelf
from gateway.errors import HearthError
from gateway.keys import LOCAL
from tests.gateway.catalog.test_archives import folder_of
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until

SHA = 64


def make(model: str, folder: Path) -> Place:
    if (folder / "wrong").exists():
        raise EngineError("bad_model_source", f"cog: {folder / 'wrong'} is wrong.")
    if (folder / "deep").exists():
        raise RecursionError
    puppet = Puppet()

    async def look() -> None:
        if (folder / "broken").exists():
            raise EngineError("boot_failed", f"See http://a/b/c:\n  '{folder}/predict.py', {Path.home()}/x/y.py: no")
        puppet.traits = Traits(version="1", schema={"title": (folder / "predict.py").read_text()})

    return Place(model, model, puppet, identity=lambda: contents.folder(folder), predictor=True, look=look)


class Server(NamedTuple):
    pool: Pool
    pushes: Pushes
    served: Served
    rounds: Rounds
    clock: Turned
    folder: Path

    def versions(self, name: str = "one") -> list[str]:
        return [version.id for version in self.served.model("acme", name, LOCAL).versions]


@asynccontextmanager
async def server(
    at: Path, store: ObjectStore, folder: str = "here", most: int = 1 << 20, file: str = "hearth.db"
) -> AsyncIterator[Server]:
    """One replica of those that share the file and the store."""
    clock, shelf = Turned(), SqliteShelf(at / file)
    pool = Pool([Place("a", "a", Puppet())], clock)
    pushes = Pushes(shelf, Depot(lambda: store, at / folder, most), Labels(lambda: store), pool, make, clock)
    cards = Cards(shelf, clock)
    served = Served(pool, {}, lambda traits: {}, Dates(shelf, clock), cards, pushes.get)
    rounds = Rounds([pushes.look, cards.look, served.look])
    await pushes.begin()
    await rounds.begin()
    try:
        yield Server(pool, pushes, served, rounds, clock, at / folder)
    finally:
        await rounds.close()
        await pushes.close()
        await pool.close()
        await shelf.close()


def is_empty(folder: Path) -> bool:
    return [*folder.iterdir()] == []


def forget(at: Path) -> None:
    """Lose all that the shelf holds, as a Redis that comes back empty has."""
    with closing(sqlite3.connect(at / "hearth.db")) as on, on:
        on.execute("DELETE FROM shelf")


async def archive(at: Path, text: str, **more: str) -> AsyncIterator[bytes]:
    out = io.BytesIO()
    pack(folder_of(at / f"source {text}", {"predict.py": text, **more}), out)
    for start in range(0, len(out.getvalue()), 1000):
        yield out.getvalue()[start : start + 1000]


async def test_a_version_that_is_pushed_is_served_at_once(tmp_path: Path) -> None:
    async with server(tmp_path, MemoryStore()) as here:
        push = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        await here.rounds.turn()
        [version] = here.served.model("acme", "one", LOCAL).versions
        assert version.predictor and version.model == push.model and len(version.id) == SHA
        here.pool.warm(push.model)
        await until(lambda: here.pool.is_up(push.model))


async def test_the_newest_is_the_latest_and_the_others_stay(tmp_path: Path) -> None:
    async with server(tmp_path, MemoryStore()) as here:
        for text in "12":
            await here.pushes.add("acme/one", archive(tmp_path, text), "me")
            here.clock.turn(10)
        await here.rounds.turn()
        second, first = here.versions()
        assert here.served.version("acme/one", LOCAL).version.id == second
        assert here.served.version(f"acme/one:{first}", LOCAL).version.id == first


async def test_other_replicas_serve_it_and_it_outlives_all_of_them(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here, server(tmp_path, store, "there") as there:
        for text in "12":
            await here.pushes.add("acme/one", archive(tmp_path, text), "me")
            here.clock.turn(10)
        await here.rounds.turn()
        await there.rounds.turn()
        versions = here.versions()
        assert there.versions() == versions and len(versions) == 2
    async with server(tmp_path, store, "anew") as anew:
        assert anew.versions() == versions


async def test_the_same_folder_again_is_the_same_version(tmp_path: Path) -> None:
    async with server(tmp_path, MemoryStore()) as here:
        first = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        again = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        await here.pushes.add("acme/two", archive(tmp_path, "1"), "me")
        await here.rounds.turn()
        assert first.model == again.model
        assert len(here.versions("one")) == len(here.versions("two")) == 1
        assert here.versions("one") != here.versions("two")


async def test_a_version_that_is_taken_back_is_stopped_everywhere(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here, server(tmp_path, store, "there") as there:
        push = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        await there.rounds.turn()
        there.pool.warm(push.model)
        await until(lambda: there.pool.is_up(push.model))
        seat = there.pool.seats[push.model]
        assert await here.pushes.remove(push.model)
        assert not await here.pushes.remove(push.model) and not await here.pushes.remove("a")
        await there.rounds.turn()
        await until(lambda: seat.state is State.COLD)
        for each in (here, there):
            await until(partial(is_empty, each.folder))
            assert [*each.pool.models] == ["a"]
        assert store.list().collect() == []


async def test_what_is_no_model_is_told_to_whoever_pushes_it_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async def noise() -> AsyncIterator[bytes]:
        yield b"noise" * 1000

    store = MemoryStore()
    async with server(tmp_path, store) as here:
        with pytest.raises(HearthError) as refused:
            await here.pushes.add("acme/one", noise(), "me")
        assert refused.value.code == "invalid_request"
        with pytest.raises(HearthError) as refused:
            await here.pushes.add("acme/one", archive(tmp_path, "1", wrong="so"), "me")
        assert (refused.value.code, refused.value.message) == ("bad_model_source", "cog: wrong is wrong.")
        assert [*here.pool.models] == ["a"] and store.list().collect() == []
        assert is_empty(here.folder)


async def test_a_model_that_cannot_be_looked_at_is_refused_and_the_version_before_it_stays_the_newest(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here:
        first = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        with pytest.raises(HearthError) as refused:
            await here.pushes.add("acme/one", archive(tmp_path, "2", broken="so"), "me")
        assert (refused.value.code, refused.value.row.status) == ("broken_model", 422)
        assert refused.value.message == "See http://a/b/c:\n  'predict.py', y.py: no"
        with pytest.raises(HearthError, match="cannot be read"):
            await here.pushes.add("acme/one", archive(tmp_path, "3", deep="so"), "me")
        await here.rounds.turn()
        assert here.served.model("acme", "one", LOCAL).latest.model == first.model
        assert [path.name for path in here.folder.iterdir()] == [first.archive]
        assert len(store.list().collect()) == 2


async def test_every_server_shows_what_was_found_when_it_was_pushed(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here, server(tmp_path, store, "there") as there:
        await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        await there.rounds.turn()
        assert there.served.model("acme", "one", LOCAL).latest.schema == {"title": "1"}


async def test_what_is_pushed_again_is_the_newest_for_every_server(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here, server(tmp_path, store, "there") as there:
        first = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        second = await here.pushes.add("acme/one", archive(tmp_path, "2"), "me")
        await there.rounds.turn()
        assert there.served.model("acme", "one", LOCAL).latest.model == second.model
        await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        async with server(tmp_path, store, "anew") as anew:
            for each in (here, there, anew):
                await each.rounds.turn()
                assert each.served.model("acme", "one", LOCAL).latest.model == first.model
                assert each.versions() == here.versions() and len(each.versions()) == 2


async def test_the_newest_is_the_same_whichever_a_server_came_to_know_first(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here, server(tmp_path, store, "there") as there:
        # Its clock is late, which says nothing of what came first.
        there.clock.turn(-1000)
        first = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        second = await there.pushes.add("acme/one", archive(tmp_path, "2"), "me")
        await here.rounds.turn()
        kept = await (await store.get_async(f"models/{first.archive}.tar")).bytes_async()
        await store.delete_async(f"models/{first.archive}.tar")
        async with server(tmp_path, store, "late") as late:
            assert len(late.versions()) == 1
            await store.put_async(f"models/{first.archive}.tar", bytes(kept))
            for each in (here, there, late):
                await each.rounds.turn()
                assert each.served.model("acme", "one", LOCAL).latest.model == second.model
                assert each.versions() == here.versions() and len(each.versions()) == 2


async def test_what_the_shelf_has_lost_is_found_again_where_it_was_not_taken_back(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here, server(tmp_path, store, "there") as there:
        gone = await here.pushes.add("acme/gone", archive(tmp_path, "0"), "me")
        for text in "121":
            await here.pushes.add("acme/one", archive(tmp_path, text), "me")
        await here.pushes.remove(gone.model)
        await here.rounds.turn()
        await there.rounds.turn()
        versions = here.versions()
        forget(tmp_path)
        for each in (there, here):
            await each.rounds.turn()
            assert each.versions() == versions
        assert len([*here.folder.iterdir()]) == 2
        forget(tmp_path)
        newest = await there.pushes.add("acme/one", archive(tmp_path, "3"), "me")
        for each in (here, there):
            await each.rounds.turn()
            assert each.served.model("acme", "one", LOCAL).latest.model == newest.model
        versions = here.versions()
        assert len(versions) == 3
        await store.put_async("models/acme/one/damaged.json", b"{")
    forget(tmp_path)
    async with server(tmp_path, store, "anew") as anew:
        assert anew.versions() == versions
        assert [listed.full_name for listed in anew.served.listed(LOCAL)] == ["hearth/a", "acme/one"]


async def test_nothing_is_taken_away_while_the_store_cannot_say_whether_it_was_taken_back(tmp_path: Path) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here:
        push = await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        forget(tmp_path)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Labels, "all", fails)
            await here.rounds.turn()
        assert push.model in here.pool.models and (here.folder / push.archive).is_dir()


async def fails(labels: Labels) -> list[Push]:
    raise HearthError("state_unavailable")


async def test_what_killed_servers_have_left_of_uploads_is_swept_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    (folder / ".left").mkdir(parents=True)
    (folder / ".left.tar").write_text("half")
    with (folder / ".coming.tar").open("w") as coming:
        fcntl.flock(coming, fcntl.LOCK_EX)
        async with server(tmp_path, MemoryStore()):
            assert [path.name for path in folder.iterdir()] == [".coming.tar"]


async def test_an_archive_that_is_too_large_is_refused_while_it_comes(tmp_path: Path) -> None:
    async with server(tmp_path, MemoryStore(), most=5000) as here:
        with pytest.raises(HearthError) as refused:
            await here.pushes.add("acme/one", archive(tmp_path, "1"), "me")
        assert refused.value.code == "file_too_large"
        assert is_empty(here.folder)


async def test_one_that_cannot_be_fetched_keeps_no_other_from_being_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    async with server(tmp_path, store) as here:
        lost = await here.pushes.add("acme/lost", archive(tmp_path, "1"), "me")
        await here.pushes.add("acme/one", archive(tmp_path, "2"), "me")
    await store.delete_async(f"models/{lost.archive}.tar")
    async with server(tmp_path, store, "anew") as anew:
        await anew.rounds.turn()
        assert [listed.full_name for listed in anew.served.listed(LOCAL)] == ["hearth/a", "acme/one"]
        assert [record.message for record in caplog.records if lost.model in record.message] != []
        assert len([record for record in caplog.records if lost.model in record.message]) == 1

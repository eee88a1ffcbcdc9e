"""What is served, as Replicate's clients see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engines.base import UNTOLD_SCHEMA, Traits
from engines.pool import Pool
from engines.seat import Place
from gateway.catalog.cards import Cards
from gateway.catalog.first_seen import Dates
from gateway.catalog.served import Served
from gateway.catalog.shelf.base import Shelf
from gateway.catalog.shelf.sqlite import SqliteShelf
from gateway.errors import HearthError
from gateway.keys import LOCAL, Key
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until

TEXT = {"components": {"schemas": {"Input": {}, "Output": {"type": "array"}}}}
COG = {"components": {"schemas": {"Input": {}, "Output": {"type": "string", "format": "uri"}}}}


def place(id: str, model: str | None = None, content: str = "", predictor: bool = False) -> Place:
    return Place(id, model or id, Puppet(), identity=lambda: content or id, predictor=predictor)


def served_of(pool: Pool, shelf: Shelf, clock: Turned, names: Mapping[str, str] | None = None) -> Served:
    return Served(pool, names or {}, lambda traits: TEXT, Dates(shelf, clock), Cards(shelf, clock))


@asynccontextmanager
async def serving(*places: Place, names: Mapping[str, str] | None = None) -> AsyncIterator[Served]:
    pool = Pool(places, Turned())
    served = served_of(pool, SqliteShelf(None), Turned(1000.0), names)
    await served.look()
    try:
        yield served
    finally:
        await pool.close()


async def ids(*places: Place, names: Mapping[str, str] | None = None) -> list[str]:
    async with serving(*places, names=names) as served:
        return [version.id for listed in served.listed(LOCAL) for version in listed.versions]


async def test_every_model_has_one_version_while_it_is_cold() -> None:
    async with serving(place("campfire"), place("acme/one")) as served:
        assert [listed.full_name for listed in served.listed(LOCAL)] == ["hearth/campfire", "acme/one"]
        [version] = served.model("hearth", "campfire", LOCAL).versions
        assert (version.model, version.created, version.schema, version.predictor) == ("campfire", 1000.0, TEXT, False)
        assert len(version.id) == 64 and int(version.id, 16)


async def test_a_version_is_the_same_after_a_restart_and_in_another_replica() -> None:
    assert await ids(place("a"), place("b")) == await ids(place("a"), place("b"))


async def test_what_determines_the_answers_determines_the_version() -> None:
    [one], [other] = await ids(place("a", content="1")), await ids(place("a", content="2"))
    assert one != other


async def test_two_models_that_answer_alike_have_versions_of_their_own() -> None:
    one, other = await ids(place("a", content="1"), place("b", content="1"))
    assert one != other


async def test_all_engines_of_a_model_make_one_version() -> None:
    alike = await ids(place("a", content="1"), place("a 2", "a", content="1"))
    mixed = await ids(place("a", content="1"), place("a 2", "a", content="2"))
    assert alike == await ids(place("a", content="1"))
    assert len(mixed) == 1 and mixed != alike
    assert mixed == await ids(place("a", content="2"), place("a 2", "a", content="1"))


async def test_models_of_one_name_are_its_versions_and_the_last_is_the_newest() -> None:
    names = {"old": "acme/one", "new": "acme/one"}
    async with serving(place("old"), place("new"), names=names) as served:
        [listed] = served.listed(LOCAL)
        assert [version.model for version in listed.versions] == ["new", "old"]
        assert listed.latest.model == "new"
        for written in ("acme/one", "acme/one:latest", listed.latest.id, f"acme/one:{listed.latest.id}"):
            assert served.version(written, LOCAL).version is listed.latest
        older = listed.versions[1]
        assert served.version(older.id, LOCAL).version is older
        assert served.version(f"acme/one:{older.id}", LOCAL) == (listed, older)


async def test_of_two_versions_that_are_the_same_there_is_one() -> None:
    names = {"old": "acme/one", "new": "acme/one"}
    async with serving(place("old", content="1"), place("new", content="1"), names=names) as served:
        [version] = served.model("acme", "one", LOCAL).versions
        assert version.model == "new"


async def test_a_version_of_another_model_is_not_this_ones() -> None:
    async with serving(place("a"), place("b")) as served:
        other = served.model("hearth", "b", LOCAL).latest.id
        for written in (f"hearth/a:{other}", "0" * 64, "hearth/c", "nonsense"):
            with pytest.raises(HearthError) as refused:
                served.version(written, LOCAL)
            assert refused.value.code == "unknown_version"


async def test_a_key_finds_only_what_it_may_ask() -> None:
    key = Key(id="k", name="k", namespace="k", models=("a",))
    async with serving(place("a"), place("b")) as served:
        hidden = served.model("hearth", "b", LOCAL).latest.id
        assert [listed.full_name for listed in served.listed(key)] == ["hearth/a"]
        with pytest.raises(HearthError) as refused:
            served.model("hearth", "b", key)
        assert refused.value.code == "unknown_model"
        with pytest.raises(HearthError) as refused:
            served.version(hidden, key)
        assert refused.value.code == "unknown_version"


async def test_a_predictor_tells_its_own_schema_when_it_knows_it() -> None:
    engine = Puppet(traits=Traits())
    async with serving(Place("sdxl", "sdxl", engine, identity=lambda: "1", predictor=True)) as served:
        before = served.model("hearth", "sdxl", LOCAL).latest
        assert before.predictor and before.schema == UNTOLD_SCHEMA
        engine.traits = Traits(schema=COG)
        after = served.model("hearth", "sdxl", LOCAL).latest
        assert after.schema == COG and after.id == before.id


async def test_an_engine_that_boots_with_other_files_is_another_version() -> None:
    files = ["1"]
    engine = Puppet()
    pool = Pool([Place("a", "a", engine, identity=lambda: files[0])], Turned())
    served = served_of(pool, SqliteShelf(None), Turned())
    await served.look()
    before = served.model("hearth", "a", LOCAL).latest.id
    files[0] = "2"
    await served.look()
    assert served.model("hearth", "a", LOCAL).latest.id == before
    pool.warm("a")
    await until(lambda: pool.is_up("a"))
    await served.look()
    assert served.model("hearth", "a", LOCAL).latest.id != before
    await pool.close()


async def test_files_that_cannot_be_read_are_no_reason_to_serve_nothing() -> None:
    def gone() -> str:
        raise PermissionError("not yours")

    async with serving(Place("a", "a", Puppet(), identity=gone)) as served:
        assert served.model("hearth", "a", LOCAL).latest.model == "a"


async def test_a_version_is_as_old_as_anybody_has_known_it_for(tmp_path: Path) -> None:
    clock = Turned(1000.0)
    for asked in (1, 2):
        pool, shelf = Pool([place("a")], Turned()), SqliteShelf(tmp_path / "hearth.db")
        served = served_of(pool, shelf, clock)
        await served.look()
        assert (tmp_path / "hearth.db").exists() is (asked == 2)
        assert served.model("hearth", "a", LOCAL).latest.created == 1000.0
        await served.look()
        await shelf.close()
        clock.turn(500)


async def test_a_model_that_is_registered_is_listed_before_it_has_a_version(tmp_path: Path) -> None:
    shelf, pool, clock = SqliteShelf(tmp_path / "hearth.db"), Pool([place("a")], Turned()), Turned()
    cards = Cards(shelf, clock)
    served = Served(pool, {}, lambda traits: TEXT, Dates(shelf, clock), cards)
    await cards.add("acme/one", {})
    await cards.add("hearth/a", {})
    assert [(each.full_name, len(each.versions)) for each in served.listed(LOCAL)] == [("hearth/a", 1), ("acme/one", 0)]
    assert served.model("acme", "one", LOCAL).versions == ()
    with pytest.raises(HearthError) as refused:
        served.version("acme/one", LOCAL)
    assert refused.value.code == "unknown_version"
    shut_out = Key(id="k", name="k", namespace="k", models=("b",))
    assert served.listed(shut_out) == []
    await shelf.close()


async def test_whoever_may_ask_a_model_may_ask_what_was_pushed_to_it() -> None:
    async with serving(place("acme/one:0123456789ab"), place("acme/one:extra")) as served:
        key = Key(id="k", name="k", namespace="k", models=("acme/one",))
        [listed] = served.listed(key)
        assert (listed.full_name, listed.latest.model) == ("acme/one", "acme/one:0123456789ab")

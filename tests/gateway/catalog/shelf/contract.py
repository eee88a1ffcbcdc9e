"""What every store of documents must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from gateway.catalog.shelf.base import Shelf


class Bench(NamedTuple):
    """One store, seen from two processes."""

    here: Shelf
    elsewhere: Shelf


class ShelfContract:
    async def test_an_empty_store_has_nothing(self, bench: Bench) -> None:
        assert await bench.here.all("card") == {}
        assert not await bench.here.swap("card", "a/b", b"old", b"new")
        assert not await bench.here.swap("card", "a/b", b"old", None)

    async def test_what_is_put_is_found_by_everybody(self, bench: Bench) -> None:
        assert await bench.here.swap("card", "acme/é", None, b"\x00one")
        assert await bench.here.swap("card", "b", None, b"")
        assert await bench.elsewhere.all("card") == {"acme/é": b"\x00one", "b": b""}

    async def test_kinds_are_apart(self, bench: Bench) -> None:
        assert await bench.here.swap("card", "a", None, b"card")
        assert await bench.here.swap("deployment", "a", None, b"deployment")
        assert await bench.here.swap("card", "a", b"card", None)
        assert await bench.here.all("card") == {}
        assert await bench.here.all("deployment") == {"a": b"deployment"}

    async def test_only_what_is_still_there_is_replaced(self, bench: Bench) -> None:
        assert await bench.here.swap("card", "a", None, b"1")
        assert not await bench.elsewhere.swap("card", "a", None, b"2")
        assert not await bench.elsewhere.swap("card", "a", b"", b"2")
        assert await bench.elsewhere.swap("card", "a", b"1", b"2")
        assert not await bench.here.swap("card", "a", b"1", None)
        assert await bench.here.all("card") == {"a": b"2"}

    async def test_of_many_who_change_one_document_at_once_one_does(self, bench: Bench) -> None:
        assert await bench.here.swap("card", "a", None, b"0")
        stores = [bench.here, bench.elsewhere] * 4
        swaps = (store.swap("card", "a", b"0", b"%d" % (at + 1)) for at, store in enumerate(stores))
        assert (await asyncio.gather(*swaps)).count(True) == 1

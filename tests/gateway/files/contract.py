"""What every store of files must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from engines.base import Kept
from gateway.errors import HearthError
from gateway.files.file import File, Kind, fresh_id, mark
from gateway.files.store import Facts, Files
from tests.turning import Turned

ME, YOU = mark("me"), mark("you")
MOST = 20 << 20
UPLOAD_S, OUTPUT_S = 100.0, 10.0


@dataclass
class Bench:
    """One store, and a look at all that is really in it."""

    files: Files
    clock: Turned
    objects: Callable[[], list[str]]


async def some(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def keep(
    bench: Bench,
    chunks: AsyncIterable[bytes] | bytes = b"hello",
    facts: Facts | None = None,
    owner: str = ME,
    kind: Kind = "upload",
) -> File:
    given = facts or Facts("a.txt", "text/plain")
    return await bench.files.keep(
        owner, kind, some(chunks) if isinstance(chunks, bytes) else chunks, MOST, lambda: given
    )


async def read(bench: Bench, file: File, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in bench.files.read(file, start, end)])


class Broke(Exception):
    pass


class FilesContract:
    async def test_what_was_kept_is_read_again(self, bench: Bench) -> None:
        facts = Facts("ä b.png", "image/png", {"a": [1, {"b": None}]}, "gen_1")
        kept = await keep(bench, some(b"he", b"", b"llo"), facts)
        found = await bench.files.find(ME, kept.id)
        assert found == kept
        assert (found.name, found.content_type, found.size) == ("ä b.png", "image/png", 5)
        assert (found.metadata, found.generation) == ({"a": [1, {"b": None}]}, "gen_1")
        assert found.md5 == hashlib.md5(b"hello").hexdigest()
        assert found.sha256 == hashlib.sha256(b"hello").hexdigest()
        assert found.created == pytest.approx(bench.clock.now, abs=0.001)
        assert await read(bench, found) == b"hello"
        assert await bench.files.of(kept.kept) == kept

    async def test_files_of_many_parts_come_back_whole_and_in_part(self, bench: Bench) -> None:
        content = os.urandom(13 << 20)
        pieces = some(*(content[start : start + 70_001] for start in range(0, len(content), 70_001)))
        kept = await keep(bench, pieces)
        assert kept.sha256 == hashlib.sha256(content).hexdigest()
        assert await read(bench, kept) == content
        for start, end in ((0, 1), (5 << 20, (5 << 20) + 9), (len(content) - 1, None), (7, 6_000_000), (3, 3)):
            assert await read(bench, kept, start, end) == content[start:end]

    async def test_an_empty_file_is_a_file(self, bench: Bench) -> None:
        kept = await keep(bench, b"")
        assert kept.size == 0 and await read(bench, kept) == b""

    async def test_a_file_is_its_owners_alone(self, bench: Bench) -> None:
        kept = await keep(bench)
        with pytest.raises(HearthError, match="unknown_file"):
            await bench.files.find(YOU, kept.id)
        assert (await bench.files.page(YOU)).files == []

    @pytest.mark.parametrize(
        "id", ("", "u", "../" * 11, "u" + "0" * 31 + "/", "x" * 33, "u" + "0" * 32, "o" + "v" * 32)
    )
    async def test_what_is_no_id_finds_nothing(self, bench: Bench, id: str) -> None:
        with pytest.raises(HearthError, match="unknown_file"):
            await bench.files.find(ME, id)
        for name in (id, f"{ME}/{id}", f"../{id}", f"{ME}/../{YOU}/{id}"):
            with pytest.raises(HearthError, match="unknown_file"):
                await bench.files.of(Kept(name, "n", "t", 1))

    @pytest.mark.parametrize("size", (MOST - 1, MOST))
    async def test_a_file_may_be_as_large_as_it_may(self, bench: Bench, size: int) -> None:
        assert (await keep(bench, bytes(size))).size == size

    @pytest.mark.parametrize("pieces", (1, 3, 1000))
    async def test_one_that_is_larger_is_refused_and_nothing_is_left(self, bench: Bench, pieces: int) -> None:
        with pytest.raises(HearthError, match="file_too_large"):
            await keep(bench, some(*[bytes(MOST // pieces + 1)] * pieces))
        assert bench.objects() == []

    @pytest.mark.parametrize("whole", (0, 3, 50))
    async def test_one_that_breaks_off_leaves_nothing(self, bench: Bench, whole: int) -> None:
        async def broken() -> AsyncIterator[bytes]:
            for _ in range(whole):
                yield bytes(300_000)
            raise Broke

        with pytest.raises(Broke):
            await keep(bench, broken())
        assert bench.objects() == []

    async def test_one_whose_facts_are_refused_leaves_nothing(self, bench: Bench) -> None:
        def refuse() -> Facts:
            raise Broke

        with pytest.raises(Broke):
            await bench.files.keep(ME, "upload", some(b"x"), MOST, refuse)
        assert bench.objects() == []

    @pytest.mark.parametrize("whole", (0, 1, 30))
    async def test_one_that_nobody_waits_for_any_more_leaves_nothing(self, bench: Bench, whole: int) -> None:
        given = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(whole):
                yield bytes(300_000)
            given.set()
            await asyncio.Event().wait()

        keeping = asyncio.create_task(keep(bench, endless()))
        await asyncio.wait_for(given.wait(), 10)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        assert bench.objects() == []

    @pytest.mark.parametrize(("kind", "seconds"), (("upload", UPLOAD_S), ("output", OUTPUT_S)))
    async def test_a_file_is_given_until_its_time_is_over(self, bench: Bench, kind: Kind, seconds: float) -> None:
        kept = await keep(bench, kind=kind)
        assert bench.files.expires(kept.id) == pytest.approx(bench.clock.now + seconds, abs=0.001)
        bench.clock.turn(seconds - 0.01)
        assert await bench.files.find(ME, kept.id) == kept
        bench.clock.turn(0.02)
        with pytest.raises(HearthError, match="unknown_file"):
            await bench.files.find(ME, kept.id)
        assert (await bench.files.page(ME)).files == []
        assert bench.objects() != []

    async def test_a_sweep_lets_go_of_what_is_over_and_of_nothing_else(self, bench: Bench) -> None:
        for owner in (ME, YOU):
            await keep(bench, owner=owner)
            await keep(bench, owner=owner, kind="output")
        bench.clock.turn(UPLOAD_S - 1)
        young = await keep(bench)
        assert await bench.files.sweep() == 4
        bench.clock.turn(2)
        assert await bench.files.sweep() == 4
        assert await bench.files.sweep() == 0
        assert await read(bench, young) == b"hello" and len(bench.objects()) == 2

    async def test_two_may_sweep_at_once(self, bench: Bench) -> None:
        for _ in range(20):
            await keep(bench)
        bench.clock.turn(UPLOAD_S + 1)
        await asyncio.gather(bench.files.sweep(), bench.files.sweep())
        assert bench.objects() == []

    async def test_what_was_let_go_of_is_gone(self, bench: Bench) -> None:
        kept = await keep(bench)
        await bench.files.remove(kept)
        await bench.files.remove(kept)
        with pytest.raises(HearthError, match="unknown_file"):
            await bench.files.find(ME, kept.id)
        with pytest.raises(HearthError, match="unknown_file"):
            await read(bench, kept)
        assert bench.objects() == []

    async def test_pages_show_uploads_newest_first_and_lead_both_ways(self, bench: Bench) -> None:
        kept = []
        for _ in range(7):
            kept.append(await keep(bench))
            await keep(bench, kind="output")
            await keep(bench, owner=YOU)
            bench.clock.turn(0.002)
        newest = kept[::-1]
        first = await bench.files.page(ME, limit=3)
        assert (first.files, first.newer, first.older) == (newest[:3], False, True)
        second = await bench.files.page(ME, first.files[-1].id, limit=3)
        assert (second.files, second.newer, second.older) == (newest[3:6], True, True)
        last = await bench.files.page(ME, second.files[-1].id, limit=3)
        assert (last.files, last.newer, last.older) == (newest[6:], True, False)
        back = await bench.files.page(ME, last.files[0].id, backwards=True, limit=3)
        assert (back.files, back.newer, back.older) == (newest[3:6], True, True)

    async def test_a_page_goes_on_though_the_file_beside_it_is_gone(self, bench: Bench) -> None:
        kept = []
        for _ in range(3):
            kept.append(await keep(bench))
            bench.clock.turn(0.002)
        await bench.files.remove(kept[1])
        assert (await bench.files.page(ME, kept[1].id)).files == [kept[0]]
        assert (await bench.files.page(ME, fresh_id("upload", 0))).files == []

    async def test_many_are_kept_at_once(self, bench: Bench) -> None:
        contents = [os.urandom(100_000) for _ in range(30)]
        kept = await asyncio.gather(*(keep(bench, content) for content in contents))
        assert [await read(bench, file) for file in kept] == contents

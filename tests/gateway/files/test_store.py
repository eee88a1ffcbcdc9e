"""Files in a folder and in memory keep the contract; and what a folder alone can do wrong."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
import pytest

from gateway.errors import HearthError
from gateway.files.store import Facts, Files
from tests.gateway.files.contract import ME, OUTPUT_S, UPLOAD_S, Bench, FilesContract, keep, some
from tests.turning import Turned


def bench_at(where: str) -> Bench:
    clock = Turned()
    files = Files(where, clock, upload_s=UPLOAD_S, output_s=OUTPUT_S)
    return Bench(files, clock, lambda: [each["path"] for each in obstore.list(files._store).collect()])


class TestFolder(FilesContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        return bench_at(str(tmp_path / "files"))


class TestMemory(FilesContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return bench_at("memory://")


async def test_a_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    bench = bench_at(f"file://{tmp_path}/a/files")
    assert not (tmp_path / "a").exists()
    await keep(bench)
    assert (tmp_path / "a" / "files").stat().st_mode & 0o777 == 0o700


async def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    bench = bench_at(str(tmp_path / "files"))
    for name in ("../../up", "/etc/passwd", "..", "a\\..\\b", "C:\\x", "\x00", "n" * 5000):
        await keep(bench, facts=Facts(name))
    found = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert len(found) == 14 and all(len(name.removesuffix(".json")) == 33 for name in found)
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


async def test_an_upload_that_was_killed_half_way_is_swept(tmp_path: Path) -> None:
    bench = bench_at(str(tmp_path / "files"))
    kept = await keep(bench)
    obstore.delete(bench.files._store, f"upload/{ME}/{kept.id}.json")
    bench.clock.turn(UPLOAD_S + 1)
    assert await bench.files.sweep() == 1 and bench.objects() == []


async def test_a_store_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    with pytest.raises(HearthError, match="state_unavailable"):
        await keep(bench_at(str(tmp_path / "files")))
    bench = bench_at(str(tmp_path / "other"))
    await keep(bench)
    (tmp_path / "other" / "upload").rename(tmp_path / "kept")
    (tmp_path / "other" / "upload").write_text("no folder")
    with pytest.raises(HearthError, match="state_unavailable"):
        await keep(bench, some(*[bytes(1 << 20)] * 50))
    with pytest.raises(HearthError, match="state_unavailable"):
        await bench.files.page(ME)


async def test_facts_that_nobody_can_read_are_told_of(tmp_path: Path) -> None:
    bench = bench_at(str(tmp_path / "files"))
    kept = await keep(bench)
    (tmp_path / "files" / "upload" / ME / f"{kept.id}.json").write_text("{")
    with pytest.raises(HearthError, match="state_unavailable"):
        await bench.files.find(ME, kept.id)


async def test_a_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    bench = bench_at(str(tmp_path / "files"))

    async def large() -> AsyncIterator[bytes]:
        for _ in range(800):
            yield bytes(256 << 10)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = await bench.files.keep(ME, "upload", large(), 1 << 30, lambda: Facts("large"))
    size = 0
    async for piece in bench.files.read(kept):
        size += len(piece)
        assert len(piece) <= 1 << 20
    assert size == kept.size == 200 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10

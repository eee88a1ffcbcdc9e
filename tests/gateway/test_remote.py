"""Remote streams in a store, with a clock that the test turns."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import HearthError
from gateway.events import Event
from gateway.generation import Generation
from gateway.log.base import Fenced, Retention, Writer
from gateway.log.local import Log
from gateway.log.memory import MemoryLogs
from gateway.remote import Bounds, RemoteStreams
from gateway.wire.durable import portion
from gateway.wire.ledger import Append, Created, Ledger, Producer
from tests.turning import Turned
from tests.waiting import until

TEXT = "text/plain"


class Bench:
    """One store, and two processes that share it."""

    def __init__(self, bounds: Bounds | None = None, log_bytes: int = 8 << 20) -> None:
        self.clock = Turned()
        self.logs = MemoryLogs(self.clock, Retention(ended_s=10, remembered_s=100, log_bytes=log_bytes))
        self.here = RemoteStreams(self.logs, self.clock.clock, bounds)
        self.elsewhere = RemoteStreams(self.logs, self.clock.clock, bounds)

    async def create(
        self,
        name: str = "s",
        *records: bytes,
        close: bool = False,
        ttl: int | None = None,
        by: RemoteStreams | None = None,
    ) -> Ledger:
        wanted = Created(self.clock.now, TEXT, ttl)
        return (await (by or self.here).create(name, "ann", wanted, records, close)).ledger


@pytest.fixture
def bench() -> Bench:
    return Bench()


def said(stream: Ledger) -> bytes:
    return b"".join(portion(stream, 0).records)


def a(*records: bytes, seq: int | None = None, close: bool = False) -> Append:
    return Append(TEXT, records, producer=None if seq is None else Producer("p", 0, seq), close=close)


# Names and owners


async def test_a_name_leads_to_one_stream_of_each_owner(bench: Bench) -> None:
    await bench.create("x/y", b"ann's")
    await bench.here.create("x/y", "bob", Created(1.0, TEXT), (b"bob's",), False)
    assert said(await bench.elsewhere.open("x/y", "ann")) == b"ann's"
    assert said(await bench.elsewhere.open("x/y", "bob")) == b"bob's"
    for name, owner in (("x/y", "eve"), ("x", "ann"), ("x/y/", "ann"), ("nn:x/y", "a")):
        with pytest.raises(HearthError, match="unknown_generation"):
            await bench.here.open(name, owner)


async def test_a_log_of_a_remote_stream_says_so_and_runs_in_nobodys_hands(bench: Bench) -> None:
    generation = (await bench.create()).log.generation
    assert (generation.remote, generation.state, generation.grace) == (True, "running", None)
    await bench.here.append("s", "ann", a(close=True))
    assert generation.state == "finished"


async def test_a_put_again_finds_it_and_another_kind_is_refused(bench: Bench) -> None:
    first = await bench.here.create("s", "ann", Created(1.0, TEXT), (b"a",), False)
    again = await bench.elsewhere.create("s", "ann", Created(2.0, TEXT), (b"b",), False)
    assert (first.fresh, again.fresh, said(again.ledger)) == (True, False, b"a")
    with pytest.raises(HearthError, match="stream_exists"):
        await bench.here.create("s", "ann", Created(3.0, "text/html"), (), False)


async def test_of_many_who_create_it_at_once_one_does(bench: Bench) -> None:
    made = await asyncio.gather(
        *(at.create("s", "ann", Created(1.0, TEXT), (b"a",), False) for at in [bench.here, bench.elsewhere] * 10)
    )
    assert [each.fresh for each in made].count(True) == 1


# Writing from several processes


async def test_a_stream_that_was_begun_and_never_said_what_it_is_may_be_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = bench.logs.create

    async def breaks(generation: Generation) -> None:
        await create(generation)
        raise ConnectionError

    monkeypatch.setattr(bench.logs, "create", breaks)
    with pytest.raises(ConnectionError):
        await bench.create()
    monkeypatch.undo()
    with pytest.raises(HearthError, match="unknown_generation"):
        await bench.here.open("s", "ann")
    assert said(await bench.create("s", b"a")) == b"a"


async def test_any_process_takes_the_next_write_and_knows_what_was_written_before(bench: Bench) -> None:
    await bench.create()
    for seq in range(10):
        at, other = (bench.here, bench.elsewhere) if seq % 2 else (bench.elsewhere, bench.here)
        assert (await at.append("s", "ann", a(b"%d" % seq, seq=seq))).fresh
        assert not (await other.append("s", "ann", a(b"again", seq=seq))).fresh
    assert said(await bench.here.open("s", "ann")) == b"0123456789"


async def test_who_sees_late_what_another_process_wrote_decides_by_the_log_and_not_by_what_it_sees(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await bench.create()
    await bench.here.append("s", "ann", a(b"0", seq=0))
    late = Log(stream.log.generation, stream.log.epoch)
    late.extend(stream.log.between(0, 1))

    async def opened(id: str, owner: str, seen: object) -> Log:
        return late

    with monkeypatch.context() as lagging:
        lagging.setattr(bench.logs, "open", opened)
        assert (await bench.elsewhere.append("s", "ann", a(b"1", seq=1))).fresh
        assert not (await bench.elsewhere.append("s", "ann", a(b"1", seq=1))).fresh
        for _ in range(2):
            with pytest.raises(HearthError, match="sequence_gap"):
                await bench.elsewhere.append("s", "ann", a(b"5", seq=5))
    assert said(await bench.here.open("s", "ann")) == b"01"


async def test_after_a_failure_the_log_is_taken_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = await bench.create()
    taken: list[str] = []
    take = bench.logs.take

    async def counted(id: str) -> Writer:
        taken.append(id)
        return await take(id)

    async def fails(*events: Event) -> None:
        raise HearthError("internal_error")

    monkeypatch.setattr(bench.logs, "take", counted)
    await bench.here.append("s", "ann", a(b"0", seq=0))
    assert taken == []
    [writer] = bench.here._writers.values()
    monkeypatch.setattr(writer, "append", fails)
    with pytest.raises(HearthError, match="internal_error"):
        await bench.here.append("s", "ann", a(b"1", seq=1))
    assert (await bench.here.append("s", "ann", a(b"1", seq=1))).fresh
    assert len(taken) == 1 and said(stream) == b"01"


async def test_who_wrote_last_is_refused_only_after_another_look(bench: Bench) -> None:
    await bench.create()
    await bench.here.append("s", "ann", a(b"0", seq=0))
    with pytest.raises(HearthError, match="sequence_gap"):
        await bench.here.append("s", "ann", a(b"5", seq=5))
    assert (await bench.here.append("s", "ann", a(b"1", seq=1))).fresh


async def test_writes_at_once_are_all_there_and_each_whole(bench: Bench) -> None:
    await bench.create()
    await asyncio.gather(
        *((bench.here, bench.elsewhere)[n % 2].append("s", "ann", a(b"<%d" % n, b">")) for n in range(100))
    )
    whole = said(await bench.here.open("s", "ann"))
    assert sorted(whole.split(b">")) == sorted([b"", *(b"<%d" % n for n in range(100))])


async def test_who_was_fenced_off_looks_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.create(by=bench.elsewhere)
    take, taken = bench.logs.take, 0

    async def overtaken(id: str):
        nonlocal taken
        writer = await take(id)
        taken += 1
        if taken == 1:
            # The other process gets in between, with the very same request.
            await bench.elsewhere.append("s", "ann", a(b"a", seq=0))
        return writer

    monkeypatch.setattr(bench.logs, "take", overtaken)
    assert not (await bench.here.append("s", "ann", a(b"a", seq=0))).fresh
    assert said(await bench.here.open("s", "ann")) == b"a"


async def test_who_is_fenced_off_again_and_again_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.create(by=bench.elsewhere)

    async def never(id: str) -> None:
        raise Fenced(id)

    monkeypatch.setattr(bench.logs, "take", never)
    with pytest.raises(HearthError, match="lost_lease"):
        await bench.here.append("s", "ann", a(b"a"))


# Ends


async def test_a_closed_stream_can_be_read_until_its_log_goes(bench: Bench) -> None:
    await bench.create("s", b"a")
    await bench.here.append("s", "ann", a(b"b", close=True))
    stream = await bench.elsewhere.open("s", "ann")
    assert stream.closed and said(stream) == b"ab"
    bench.clock.turn(11)
    await bench.logs.sweep()
    with pytest.raises(HearthError, match="expired"):
        await bench.here.open("s", "ann")
    assert not (await bench.create("s")).closed


@pytest.mark.parametrize("close", [False, True])
async def test_a_deleted_stream_is_gone_with_its_data_and_may_be_made_anew(bench: Bench, close: bool) -> None:
    old = await bench.create("s", b"x" * 10_000, close=close)
    await bench.elsewhere.delete("s", "ann")
    assert bench.logs.size < 1000
    for gone in (bench.here.open("s", "ann"), bench.here.append("s", "ann", a(b"b")), bench.here.delete("s", "ann")):
        with pytest.raises(HearthError, match="unknown_generation"):
            await gone
    new = await bench.create("s", b"new")
    assert said(new) == b"new" and new.log.epoch != old.log.epoch
    bench.clock.turn(11)
    await bench.logs.sweep()
    assert said(await bench.here.open("s", "ann")) == b"new"


async def test_a_reader_of_a_stream_that_is_deleted_is_woken(bench: Bench) -> None:
    stream = await bench.create()
    reader = stream.log.read(stream.log.tail + 1)
    waiting = asyncio.create_task(reader.wait(10))
    await asyncio.sleep(0)
    await bench.here.delete("s", "ann")
    assert await waiting
    assert stream.log.ended and stream.gone
    reader.close()


# Time


async def test_what_nobody_touches_goes_and_its_memory_too(bench: Bench) -> None:
    await bench.create("s", b"x" * 10_000, ttl=80)
    bench.clock.turn(89)
    await bench.here.open("s", "ann")
    bench.clock.turn(1)
    with pytest.raises(HearthError, match="unknown_generation"):
        await bench.elsewhere.open("s", "ann")
    await bench.here.sweep()
    assert bench.logs.running == [] and not bench.here._known
    bench.clock.turn(11)
    await bench.logs.sweep()
    assert bench.logs.held == []


async def test_a_read_anywhere_keeps_it_but_not_every_read_is_written_down(bench: Bench) -> None:
    stream = await bench.create("s", ttl=80)
    for _ in range(100):
        bench.clock.turn(5)
        await bench.elsewhere.touch(await bench.elsewhere.open("s", "ann"))
        await bench.here.sweep()
    assert not stream.expired(bench.clock.now)
    assert stream.log.tail <= 50


async def test_a_touch_of_what_has_ended_is_of_no_account(bench: Bench) -> None:
    stream = await bench.create("s", ttl=80)
    bench.clock.turn(70)
    await bench.elsewhere.delete("s", "ann")
    await bench.here.touch(stream)


async def test_a_name_whose_time_is_over_may_be_made_anew_at_once(bench: Bench) -> None:
    await bench.create("s", b"old", ttl=8)
    bench.clock.turn(9)
    assert said(await bench.create("s", b"new")) == b"new"


async def test_the_sweep_goes_on_by_itself_and_ends_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.remote._SWEEP_S", 0.0)
    bench = Bench()
    await bench.create("s", ttl=8)
    bench.here.begin()
    bench.clock.turn(9)
    await until(lambda: not bench.logs.running)
    await bench.here.close()
    await bench.elsewhere.close()


# Room


async def test_there_is_room_for_so_many_streams_and_no_more() -> None:
    bench = Bench(Bounds(streams=2))
    await bench.create("a")
    await bench.create("b")
    with pytest.raises(HearthError, match="overloaded"):
        await bench.create("c")
    await bench.create("a")
    await bench.here.delete("a", "ann")
    await bench.here.sweep()
    await bench.create("c")


async def test_when_they_hold_too_much_nothing_grows_but_they_can_be_closed() -> None:
    bench = Bench(Bounds(total_bytes=1000))
    await bench.create("s", b"x" * 2000)
    await bench.here.sweep()
    for refused in (bench.create("t"), bench.here.append("s", "ann", a(b"x"))):
        with pytest.raises(HearthError, match="overloaded"):
            await refused
    await bench.here.append("s", "ann", a(close=True))
    await bench.here.sweep()
    await bench.create("t")


async def test_a_full_stream_says_so_and_can_be_closed() -> None:
    bench = Bench(log_bytes=1000)
    await bench.create("s", b"x" * 2000)
    with pytest.raises(HearthError, match="stream_full"):
        await bench.here.append("s", "ann", a(b"x"))
    assert (await bench.here.append("s", "ann", a(close=True))).ledger.closed

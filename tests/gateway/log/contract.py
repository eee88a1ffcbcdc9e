"""What every store of logs must keep, whatever it keeps them in. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import msgspec
import pytest

from engines.base import Prompt, TokenLogprob
from gateway.errors import HearthError
from gateway.events import (
    Accepted,
    Canceled,
    Delta,
    Event,
    Failed,
    Finished,
    LogLine,
    Note,
    Opened,
    Output,
    Progress,
    Timings,
    Usage,
)
from gateway.generation import Generation, new_id
from gateway.log.base import Fenced, Logs, Position, Retention, Writer, check
from gateway.log.local import Log, Reader

SAID: tuple[Event, ...] = (
    Opened("gen_1", "demo", 1.5),
    Progress("booting", "loading weights"),
    Accepted(7, 3),
    Delta(0, "héllo \u2028 \r\n \x00 🔥", (1, 2), logprobs=(TokenLogprob("h", -0.5, (("h", -0.5), ("j", -1.5))),)),
    Delta(1, "", reasoning="hm", tokens=(4,)),
    Delta(1, tool_calls=({"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}},)),
    Delta(0, "", finish="stop", stop="\n\n"),
    Output({"picture": [1, None, True, "x"]}),
    LogLine("a line"),
    Note("takeover", "went on elsewhere"),
)
FINISHED = Finished("stop", Usage(7, 2, 3), Timings(0.1, 0.2, 0.3))
FAILED = Failed("engine_died", "It died.", None, Usage(7), Timings(total=1.0))
CANCELED = Canceled("caller", Usage(), Timings())


@dataclass
class Bench:
    """One store, seen from two processes if it can be, with a clock that tests turn.

    `settle` is a bound, in seconds, on how long it takes to see elsewhere what was appended here.
    """

    here: Logs
    elsewhere: Logs
    turn: Callable[[float], None]
    settle: float = 5.0


MakeBench = Callable[[Retention], Awaitable[Bench]]


def a_generation(owner: str = "ann") -> Generation:
    """A fresh one."""
    return Generation(
        id=new_id("gen"), owner=owner, model="demo", prompt=Prompt(texts=("once",)), created=1.0, grace=None
    )


def pieces(count: int, start: int = 0) -> list[Event]:
    """That many small events, each of its own."""
    return [Delta(0, f"{index} ", (index,)) for index in range(start, start + count)]


async def read(reader: Reader, seconds: float = 5.0) -> list[Event]:
    """Everything to the end of the log."""
    events: list[Event] = []
    async with asyncio.timeout(seconds):
        while not reader.done:
            if await reader.wait(seconds):
                events += reader.take()
    return events


async def take(reader: Reader, count: int, seconds: float = 5.0) -> list[Event]:
    """That many events."""
    events: list[Event] = []
    async with asyncio.timeout(seconds):
        while len(events) < count:
            if await reader.wait(seconds):
                events += reader.take(count - len(events))
    return events


async def append(writer: Writer, events: Iterable[Event]) -> None:
    """Each event by itself."""
    for event in events:
        await writer.append(event)


class LogContract:
    """The promises. `bench` makes a store with that retention."""

    @pytest.fixture
    def bench(self) -> MakeBench:
        raise NotImplementedError

    @pytest.fixture
    async def logs(self, bench: MakeBench) -> Bench:
        return await bench(Retention())

    # Events and positions

    async def test_a_new_log_is_empty_and_has_an_epoch_of_its_own(self, logs: Bench) -> None:
        first, second = [(await logs.here.create(a_generation())).log for _ in range(2)]
        assert (first.first, first.tail, first.ended) == (0, -1, False)
        assert first.epoch != second.epoch
        assert str(Position.parse(f"{first.epoch}-0")) == f"{first.epoch}-0"

    async def test_every_kind_of_event_comes_out_as_it_went_in(self, logs: Bench) -> None:
        for end in (FINISHED, FAILED, CANCELED):
            writer = await logs.here.create(a_generation())
            await append(writer, (*SAID, end))
            log = await logs.elsewhere.open(writer.log.generation.id, "ann")
            assert await read(log.read(0)) == [*SAID, end]

    async def test_a_log_may_begin_with_events(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation(), *pieces(2))
        assert writer.log.tail == 1
        await append(writer, [*pieces(1, 2), FINISHED])
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(3), FINISHED]

    async def test_what_is_staged_comes_in_order_before_what_is_appended_afterwards(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        for event in pieces(50):
            writer.stage(event)
        await writer.append(FINISHED)
        with pytest.raises(Fenced):
            writer.stage(*pieces(1))
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(50), FINISHED]

    async def test_what_is_staged_by_one_whose_log_was_taken_is_never_seen(self, logs: Bench) -> None:
        first = await logs.here.create(a_generation(), *pieces(3))
        second = await logs.elsewhere.take(first.log.generation.id)
        with pytest.raises(Fenced):
            async with asyncio.timeout(logs.settle):
                while True:
                    first.stage(*pieces(1, 90))
                    await asyncio.sleep(0)
        await append(second, [*pieces(2, 3), FINISHED])
        assert await read((await logs.elsewhere.open(first.log.generation.id, "ann")).read(0)) == [*pieces(5), FINISHED]

    async def test_offsets_are_dense_however_events_are_appended(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        await writer.append(*pieces(3))
        await writer.append(*pieces(1, 3))
        await writer.append(*pieces(4, 4))
        log = writer.log
        assert log.tail == 7
        assert [log.between(offset, offset + 1)[0] for offset in range(8)] == pieces(8)

    async def test_a_log_is_the_same_here_and_elsewhere(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        await append(writer, pieces(5))
        here = await logs.here.open(writer.log.generation.id, "ann")
        elsewhere = await logs.elsewhere.open(writer.log.generation.id, "ann")
        assert here.epoch == elsewhere.epoch == writer.log.epoch
        assert elsewhere.generation.model == "demo"
        assert await take(here.read(0), 5) == await take(elsewhere.read(0), 5) == pieces(5)

    async def test_a_reader_goes_on_after_its_position(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        await append(writer, [*pieces(5), FINISHED])
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        for seen in range(6):
            start = check(log, Position(log.epoch, seen))
            assert await read(log.read(start)) == [*pieces(5), FINISHED][seen + 1 :]
        assert await read(log.read(check(log, None))) == [*pieces(5), FINISHED]

    @pytest.mark.parametrize(
        ("position", "code"),
        [(lambda log: Position("another", 1), "epoch_mismatch"), (lambda log: Position(log.epoch, 5), "past_the_end")],
    )
    async def test_a_wrong_position_is_told_with_where_the_log_stands(
        self, logs: Bench, position: Callable[[Log], Position], code: str
    ) -> None:
        writer = await logs.here.create(a_generation())
        await append(writer, pieces(5))
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        with pytest.raises(HearthError) as told:
            check(log, position(log))
        assert told.value.code == code
        assert told.value.details == {"epoch": log.epoch, "earliest": 0, "tail": 4}

    # Readers

    async def test_any_number_of_readers_see_the_same_events_wherever_they_join(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        id = writer.log.generation.id
        readings = []
        for index, event in enumerate([*pieces(20), FINISHED]):
            at = await (logs.here if index % 2 else logs.elsewhere).open(id, "ann")
            readings.append(asyncio.create_task(read(at.read(0))))
            await writer.append(event)
        for events in await asyncio.gather(*readings):
            assert events == [*pieces(20), FINISHED]

    async def test_a_reader_that_waits_is_woken_by_the_next_event(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        reader = log.read(0)
        waiting = asyncio.create_task(reader.wait(logs.settle))
        await asyncio.sleep(0)
        assert not waiting.done()
        await writer.append(*pieces(1))
        assert await waiting is True
        assert reader.take() == pieces(1)

    async def test_a_wait_ends_with_its_time(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        reader = writer.log.read(0)
        assert await reader.wait(0.01) is False
        await writer.append(*pieces(1))
        assert await reader.wait(0) is True

    async def test_a_wait_that_was_cancelled_leaves_the_reader_whole(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        reader = (await logs.elsewhere.open(writer.log.generation.id, "ann")).read(0)
        waiting = asyncio.create_task(reader.wait(logs.settle))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await append(writer, [*pieces(3), FINISHED])
        assert await read(reader) == [*pieces(3), FINISHED]

    async def test_a_reader_that_was_not_there_for_long_takes_all_at_once(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        reader = writer.log.read(0)
        await append(writer, [*pieces(100), FINISHED])
        assert await reader.wait(0)
        assert reader.take(10) == pieces(10)
        assert reader.take() == [*pieces(90, 10), FINISHED]
        assert reader.done

    async def test_a_reader_knows_what_was_there_before_it_came(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        await append(writer, pieces(3))
        reader = writer.log.read(0)
        await append(writer, pieces(2, 3))
        assert reader.replayed_to == 2

    # Writers

    async def test_a_terminal_event_ends_the_log_for_good(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        await append(writer, [*pieces(2), CANCELED])
        assert writer.log.ended
        for more in (pieces(1), [FINISHED]):
            with pytest.raises(Fenced):
                await writer.append(*more)
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(2), CANCELED]

    async def test_of_many_ends_at_once_the_first_wins(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        ends = (FINISHED, CANCELED, FAILED)
        outcomes = await asyncio.gather(*(writer.append(end) for end in ends), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if outcome is not None] == [Fenced, Fenced]
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        [end] = await read(log.read(0))
        assert end == ends[outcomes.index(None)]

    async def test_who_takes_a_log_goes_on_with_it_and_the_one_before_is_fenced_off(self, logs: Bench) -> None:
        first = await logs.here.create(a_generation())
        await append(first, pieces(3))
        reader = first.log.read(0)
        second = await logs.elsewhere.take(first.log.generation.id)
        assert second.log.tail == 2
        for late in (pieces(1, 9), [FINISHED]):
            with pytest.raises(Fenced):
                await first.append(*late)
        await append(second, [*pieces(2, 3), FINISHED])
        assert await read(reader) == [*pieces(5), FINISHED]
        assert second.log.epoch == first.log.epoch

    async def test_an_ended_log_cannot_be_taken(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        await writer.append(FINISHED)
        with pytest.raises(Fenced):
            await logs.elsewhere.take(writer.log.generation.id)

    async def test_what_nobody_wrote_cannot_be_taken(self, logs: Bench) -> None:
        with pytest.raises(HearthError, match="unknown_generation"):
            await logs.elsewhere.take("gen_nothing")

    async def test_a_new_log_takes_the_place_of_an_ended_one_of_its_id(self, bench: MakeBench) -> None:
        logs = await bench(Retention(ended_s=10, remembered_s=100))
        first = await logs.here.create(a_generation())
        await append(first, [*pieces(3), FINISHED])
        generation = a_generation()
        generation.id = first.log.generation.id
        second = await logs.elsewhere.create(generation)
        assert second.log.epoch != first.log.epoch
        await second.append(*pieces(1))
        await pass_time(logs, 11)
        log = await logs.here.open(generation.id, "ann")
        assert (log.epoch, log.first, log.ended) == (second.log.epoch, 0, False)
        assert await take(log.read(0), 1) == pieces(1)

    async def test_a_running_log_makes_no_room_for_another(self, logs: Bench) -> None:
        writer = await logs.here.create(a_generation())
        generation = a_generation()
        generation.id = writer.log.generation.id
        for at in (logs.elsewhere, logs.here):
            with pytest.raises(Fenced):
                await at.create(generation)
        await append(writer, [*pieces(1), FINISHED])

    async def test_a_full_log_takes_nothing_but_its_end(self, bench: MakeBench) -> None:
        logs = await bench(Retention(log_bytes=4000))
        writer = await logs.here.create(a_generation())
        with pytest.raises(HearthError, match="log_full"):
            await append(writer, pieces(1000))
        tail = writer.log.tail
        assert 0 < tail < 100
        with pytest.raises(HearthError, match="log_full"):
            await writer.append(*pieces(2))
        assert writer.log.tail == tail
        await writer.append(FAILED)
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        assert (await read(log.read(0)))[-1] == FAILED

    async def test_what_is_asked_counts_however_the_log_is_come_by(self, logs: Bench) -> None:
        prompt, asked = Prompt(texts=("x" * 10_000,)), {"prompt": "x" * 20_000}
        writer = await logs.here.create(msgspec.structs.replace(a_generation(), prompt=prompt, asked=asked), *SAID)
        assert 30_000 < writer.log.size < 33_000
        assert (await logs.elsewhere.take(writer.log.generation.id)).log.size == writer.log.size

    async def test_more_than_one_may_hold_is_refused_and_nothing_of_it_kept(self, bench: MakeBench) -> None:
        logs = await bench(Retention(ended_s=10, log_bytes=4000, total_bytes=4000))
        before = await logs.here.create(a_generation())
        await append(before, [*pieces(3), FINISHED])
        for said in ({"prompt": Prompt(texts=("x" * 5000,))}, {"asked": {"x": "x" * 5000}}):
            large = msgspec.structs.replace(a_generation(), **said)
            for id in (large.id, before.log.generation.id):
                with pytest.raises(HearthError, match="4000") as told:
                    await logs.here.create(msgspec.structs.replace(large, id=id), *SAID)
                assert told.value.code == "body_too_large"
            for at in (logs.here, logs.elsewhere):
                with pytest.raises(HearthError, match="unknown_generation"):
                    await at.open(large.id, "ann")
        await pass_time(logs, 1)
        assert await is_held(logs.elsewhere, before.log.generation.id)

    async def test_a_budget_of_bytes_counts_what_was_asked(self, bench: MakeBench) -> None:
        logs = await bench(Retention(total_bytes=25_000))
        ended = []
        for _ in range(3):
            large = msgspec.structs.replace(a_generation(), asked={"x": "x" * 10_000})
            await (await logs.here.create(large)).append(FINISHED)
            ended.append(large.id)
            await pass_time(logs, 1)
        assert [await is_held(logs.elsewhere, id) for id in ended] == [False, True, True]

    # Owners and retention

    async def test_to_others_a_log_does_not_exist(self, bench: MakeBench) -> None:
        logs = await bench(Retention(ended_s=10, remembered_s=100))
        writer = await logs.here.create(a_generation("ann"))
        id = writer.log.generation.id
        for _ in range(2):
            for at in (logs.here, logs.elsewhere):
                with pytest.raises(HearthError, match="unknown_generation"):
                    await at.open(id, "bob")
            if not writer.log.ended:
                await writer.append(FINISHED)
                await pass_time(logs, 11)

    async def test_a_log_that_is_to_be_kept_for_longer_outlives_the_others(self, bench: MakeBench) -> None:
        logs = await bench(Retention(ended_s=10, remembered_s=100))
        lasting = msgspec.structs.replace(a_generation(), kept_s=40.0)
        for generation in (lasting, short := a_generation()):
            writer = await logs.here.create(generation, *SAID)
            await writer.append(FINISHED)
        await pass_time(logs, 30)
        for side in (logs.here, logs.elsewhere):
            with pytest.raises(HearthError, match="expired"):
                await side.open(short.id, "ann")
            assert (await side.open(lasting.id, "ann")).ended
        await pass_time(logs, 20)
        with pytest.raises(HearthError, match="expired"):
            await logs.elsewhere.open(lasting.id, "ann")

    async def test_a_log_is_kept_then_expired_then_unknown(self, bench: MakeBench) -> None:
        logs = await bench(Retention(ended_s=10, remembered_s=100))
        writer = await logs.here.create(a_generation())
        id = writer.log.generation.id
        await writer.append(FINISHED)
        await pass_time(logs, 9)
        assert (await logs.elsewhere.open(id, "ann")).ended
        await pass_time(logs, 2)
        with pytest.raises(HearthError, match="expired"):
            await logs.elsewhere.open(id, "ann")
        with pytest.raises(HearthError, match="expired"):
            await logs.here.take(id)
        await pass_time(logs, 101)
        with pytest.raises(HearthError, match="unknown_generation"):
            await logs.elsewhere.open(id, "ann")

    async def test_a_running_log_is_kept_however_long_it_takes(self, bench: MakeBench) -> None:
        logs = await bench(Retention(ended_s=10, remembered_s=100))
        writer = await logs.here.create(a_generation())
        await pass_time(logs, 1000)
        await append(writer, [*pieces(1), FINISHED])
        log = await logs.elsewhere.open(writer.log.generation.id, "ann")
        assert await read(log.read(0)) == [*pieces(1), FINISHED]

    async def test_a_budget_of_bytes_lets_go_of_the_oldest_ended_logs_alone(self, bench: MakeBench) -> None:
        logs = await bench(Retention(total_bytes=60_000))
        running = await logs.here.create(a_generation())
        await running.append(Delta(0, "x" * 30_000))
        ended = []
        for _ in range(4):
            writer = await logs.here.create(a_generation())
            await writer.append(Delta(0, "y" * 10_000))
            await writer.append(FINISHED)
            ended.append(writer.log.generation.id)
            await pass_time(logs, 1)
        kept = [await is_held(logs.elsewhere, id) for id in ended]
        assert kept == [False, False, True, True]
        assert await is_held(logs.elsewhere, running.log.generation.id)


async def pass_time(logs: Bench, seconds: float) -> None:
    """Turn the clock, and let the store notice."""
    logs.turn(seconds)
    await logs.here.sweep()


async def is_held(logs: Logs, id: str) -> bool:
    """Whether Ann can still read it."""
    try:
        await logs.open(id, "ann")
    except HearthError as error:
        assert error.code == "expired"
        return False
    return True

"""What a remotely written stream takes next, decided from its log alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import Prompt
from gateway import events
from gateway.errors import HearthError
from gateway.events import Canceled, Timings, Usage
from gateway.generation import Generation
from gateway.log.local import Log
from gateway.wire.ledger import Append, Created, Ledger, Producer, Touched, mark

TEXT = "text/plain"


def a_stream(content_type: str = TEXT, **facts: Any) -> Ledger:
    log = Log(Generation(id="remote_1", owner="ann", model="", prompt=Prompt(), created=1.0, remote=True), "epoch")
    log.extend([mark(Created(0.0, content_type, **facts))])
    return Ledger(log)


def write(stream: Ledger, *records: bytes, now: float = 1.0, **facts: Any) -> bool:
    """Write as a store would; whether there was anything to write."""
    said = stream.decide(Append(TEXT, records, **facts), now)
    # As it is when another process reads it.
    stream.log.extend([events.decode(events.encode(event)) for event in said])
    return bool(said)


def refused(stream: Ledger, *records: bytes, **facts: Any) -> HearthError:
    with pytest.raises(HearthError) as told:
        write(stream, *records, **facts)
    return told.value


def text(stream: Ledger) -> bytes:
    log = stream.log
    said = (stream.record(event, at) for at, event in enumerate(log.between(0, log.tail + 1)))
    return b"".join(record for record in said if record is not None)


# Writing


def test_records_follow_each_other_and_only_they_move_the_end() -> None:
    stream = a_stream(ttl=60)
    assert stream.end == 0
    write(stream, b"a", b"b")
    end = stream.end
    stream.log.extend([mark(Touched(2.0))])
    assert (text(stream), stream.end) == (b"ab", end)


def test_a_closed_stream_takes_nothing_and_says_where_it_ends() -> None:
    stream = a_stream()
    write(stream, b"a", close=True)
    error = refused(stream, b"b")
    assert (error.code, error.details) == (
        "stream_closed",
        {"stream_closed": "true", "next_offset": "epoch_0000000000000002"},
    )
    assert refused(stream, b"b", close=True).code == "stream_closed"
    assert not write(stream, close=True)
    assert stream.closed and stream.log.ended


def test_a_body_of_another_type_is_refused_but_a_close_has_no_type() -> None:
    stream = a_stream("text/plain; charset=utf-8")
    write(stream, b"a")
    with pytest.raises(HearthError, match="content_type_mismatch"):
        stream.decide(Append("application/json", (b"1",)), 1.0)
    assert stream.decide(Append("application/json", (), close=True), 1.0)


def test_stream_seq_must_grow_as_text_does() -> None:
    stream = a_stream()
    write(stream, b"a", seq="09")
    write(stream, b"b", seq="10")
    write(stream, b"c")
    for late in ("10", "09", "1", ""):
        assert refused(stream, b"x", seq=late).code == "sequence_conflict"
    assert write(stream, b"d", seq="9")


# Producers


def test_a_producer_is_taken_in_order_and_once() -> None:
    stream = a_stream()
    for seq in range(3):
        assert write(stream, b"%d" % seq, producer=Producer("p", 0, seq))
        assert not write(stream, b"again", producer=Producer("p", 0, seq))
    error = refused(stream, b"x", producer=Producer("p", 0, 5))
    assert (error.code, error.details) == ("sequence_gap", {"expected_seq": 3, "received_seq": 5})
    assert text(stream) == b"012" and stream.highest(Producer("p", 0, 0)) == 2


def test_a_newer_life_fences_off_the_older_one() -> None:
    stream = a_stream()
    write(stream, b"a", producer=Producer("p", 0, 0))
    assert refused(stream, b"x", producer=Producer("p", 2, 1)).code == "invalid_request"
    write(stream, b"b", producer=Producer("p", 2, 0))
    error = refused(stream, b"x", producer=Producer("p", 0, 1))
    assert (error.code, error.details) == ("stale_producer", {"producer_epoch": 2})
    assert write(stream, b"c", producer=Producer("q", 0, 0))


def test_a_producer_that_is_new_begins_at_0_in_whatever_epoch() -> None:
    assert refused(a_stream(), b"x", producer=Producer("p", 0, 1)).code == "sequence_gap"
    assert write(a_stream(), b"x", producer=Producer("p", 7, 0))


def test_who_closed_may_say_it_again_and_nobody_else() -> None:
    stream = a_stream()
    closer = Producer("p", 0, 0)
    write(stream, b"a", producer=closer, close=True)
    assert not write(stream, b"other", producer=closer, close=True)
    for other in (Producer("p", 0, 1), Producer("q", 0, 0)):
        assert refused(stream, b"x", producer=other, close=True).code == "stream_closed"
    assert text(stream) == b"a"


def test_a_request_that_was_taken_is_no_conflict_of_stream_seq() -> None:
    stream = a_stream()
    write(stream, b"a", producer=Producer("p", 0, 0), seq="1")
    assert not write(stream, b"a", producer=Producer("p", 0, 0), seq="1")


@given(st.lists(st.integers(0, 12)))
def test_however_requests_repeat_and_come_late_each_is_there_once_and_in_order(asked: list[int]) -> None:
    stream, taken = a_stream(), 0
    for seq in asked:
        try:
            fresh = write(stream, b"%d," % seq, producer=Producer("p", 0, seq))
        except HearthError as error:
            assert error.code == "sequence_gap" and seq > taken
        else:
            assert fresh == (seq == taken)
            taken += fresh
    assert text(stream) == b"".join(b"%d," % seq for seq in range(taken))


def test_another_process_that_reads_the_same_log_decides_the_same() -> None:
    stream = a_stream(ttl=5)
    write(stream, b"a", producer=Producer("p", 1, 0), seq="b")
    other = Ledger(stream.log)
    assert other.created == stream.created and other.end == stream.end
    assert refused(other, b"x", producer=Producer("p", 0, 0)).code == "stale_producer"
    assert refused(other, b"x", seq="a").code == "sequence_conflict"


# Time


def test_a_time_to_live_begins_anew_with_each_write_and_touch() -> None:
    stream = a_stream(ttl=8)
    assert not stream.expired(8.9) and stream.expired(9.0)
    write(stream, b"a", now=5.0)
    assert not stream.expired(13.9)
    assert not stream.wants_touch(5.9) and stream.wants_touch(6.0)
    stream.log.extend([mark(Touched(10.0))])
    assert not stream.expired(18.9) and stream.expired(19.0)


def test_a_fixed_end_stays_where_it_is() -> None:
    stream = a_stream(expires=100.0)
    write(stream, b"a", now=99.0)
    assert not stream.wants_touch(99.0) and not stream.expired(99.9) and stream.expired(100.0)
    assert not a_stream().expired(1e12)


def test_a_log_that_was_only_begun_is_no_stream_yet() -> None:
    assert Ledger(Log(a_stream().log.generation, "epoch")).gone
    assert not a_stream().gone


def test_a_canceled_log_is_a_deleted_stream() -> None:
    stream = a_stream()
    stream.log.extend([Canceled("caller", Usage(), Timings())])
    assert stream.gone and not stream.closed

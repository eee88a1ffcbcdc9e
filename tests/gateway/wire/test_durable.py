"""The read half of Durable Streams as bytes: queries, tokens, portions, frames."""

from __future__ import annotations

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import Prompt
from gateway.errors import HearthError
from gateway.events import Delta, Finished, Opened, Output, Timings, Usage
from gateway.generation import Generation
from gateway.log.local import Log
from gateway.wire import durable
from gateway.wire.durable import GenerationView, Live, Query
from gateway.wire.ledger import Created, Ledger, Touched, mark

EPOCH = "k3f9a2xq"
TOKEN = durable.token(EPOCH, 7)


def a_log() -> Log:
    return Log(Generation(id="gen_1", owner="ann", model="demo", prompt=Prompt(), created=1.0), EPOCH)


def read(event: bytes) -> tuple[str, str]:
    """One event's name and data, as an EventSource has them."""
    name, data = "", []
    for line in re.split(r"\r\n|\r|\n", event.decode()):
        field, _, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
    return name, "\n".join(data)


# Queries


def test_a_query_is_read_and_what_it_does_not_know_is_passed_over() -> None:
    assert durable.query([]) == Query(None, None, None)
    assert durable.query([("foo", "a"), ("foo", "b"), ("offset", "-1")]) == Query("-1", None, None)
    assert durable.query([("offset", TOKEN), ("live", "sse"), ("cursor", "12")]) == Query(TOKEN, Live.SSE, 12)
    assert durable.query([("offset", "now"), ("live", "long-poll")]) == Query("now", Live.LONG_POLL, None)


@pytest.mark.parametrize(
    ("pairs", "code", "parameter"),
    [
        ([("offset", "")], "bad_position", "offset"),
        ([("offset", "0")], "bad_position", "offset"),
        ([("offset", "-2")], "bad_position", "offset"),
        ([("offset", f"{TOKEN}\n")], "bad_position", "offset"),
        ([("offset", TOKEN.replace("0", "٠"))], "bad_position", "offset"),
        ([("offset", TOKEN), ("offset", TOKEN)], "bad_position", "offset"),
        ([("live", "sse")], "bad_position", "offset"),
        ([("offset", "-1"), ("live", "always")], "invalid_request", "live"),
        ([("offset", "-1"), ("live", "")], "invalid_request", "live"),
        ([("offset", "-1"), ("live", "sse"), ("live", "sse")], "invalid_request", "live"),
        ([("offset", "-1"), ("cursor", "")], "invalid_request", "cursor"),
        ([("offset", "-1"), ("cursor", "-1")], "invalid_request", "cursor"),
        ([("offset", "-1"), ("cursor", "9" * 16)], "invalid_request", "cursor"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(pairs: list[tuple[str, str]], code: str, parameter: str) -> None:
    with pytest.raises(HearthError) as told:
        durable.query(pairs)
    assert (told.value.code, told.value.parameter, told.value.row.status) == (code, parameter, 400)


# Tokens


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_tokens_of_one_epoch_sort_as_their_offsets(one: int, other: int) -> None:
    assert (durable.token(EPOCH, one) < durable.token(EPOCH, other)) == (one < other)


def test_a_token_leads_back_to_its_place_and_to_no_other_log() -> None:
    log = a_log()
    log.extend([Delta(0, "a"), Delta(0, "b")])
    view = GenerationView(log)
    for offset in range(3):
        assert durable.begin(view, durable.token(EPOCH, offset)) == offset
    assert (durable.begin(view, None), durable.begin(view, "-1"), durable.begin(view, "now")) == (0, 0, 2)
    for written, code in ((durable.token(EPOCH, 3), "past_the_end"), (durable.token("other", 1), "epoch_mismatch")):
        with pytest.raises(HearthError, match=code):
            durable.begin(view, written)


# Portions


def test_a_generation_is_one_json_record_for_each_event() -> None:
    log = a_log()
    log.extend([Opened("gen_1", "demo", 1.5), Delta(0, "a"), Delta(0, "b"), Finished("stop", Usage(), Timings())])
    portion = durable.portion(GenerationView(log), 0)
    assert (portion.next, portion.stop) == (4, 4)
    said = json.loads(durable.body("application/json", portion.records))
    assert [(record["t"], record["o"], record["n"]) for record in said] == [
        ("opened", 0, 1),
        ("delta", 1, 1),
        ("delta", 2, 1),
        ("end", 3, 1),
    ]


def test_portions_join_to_the_whole_whatever_their_size() -> None:
    log = a_log()
    log.extend([mark(Created(1.0, "text/plain"))])
    for index in range(10_000):
        log.extend([Output(b"%d " % index)] if index % 3 else [mark(Touched(index))])
    view, whole = Ledger(log), b"".join(b"%d " % index for index in range(10_000) if index % 3)
    for limit in (0, 1, 100, 1 << 20):
        said: list[bytes] = []
        at = turns = 0
        while at <= log.tail:
            portion = durable.portion(view, at, limit)
            assert portion.stop > at and sum(map(len, portion.records)) <= max(limit, 5)
            said += portion.records
            at, turns = portion.stop, turns + 1
        assert b"".join(said) == whole
    assert durable.portion(view, 0).next == view.end


def test_an_end_makes_another_etag_of_the_same_read() -> None:
    log = a_log()
    log.extend([mark(Created(1.0, "text/plain")), Output(b"x")])
    view = Ledger(log)
    before = durable.etag(view, 0, durable.portion(view, 0))
    log.extend([Finished("closed", Usage(), Timings())])
    after = durable.etag(view, 0, durable.portion(view, 0))
    assert before != after
    assert durable.matches(after, f'"other", W/{after}') and durable.matches(after, "*")
    assert not durable.matches(after, before) and not durable.matches(after, "")


# Live


def test_a_cursor_is_the_interval_and_never_goes_back() -> None:
    assert durable.cursor(1_728_432_000 + 20 * 1000 + 19.9, None, 5) == 1000
    assert durable.cursor(1_728_432_000 + 20 * 1000, 999, 5) == 1000
    assert durable.cursor(1_728_432_000 + 20 * 1000, 1000, 5) == 1005
    assert durable.cursor(1_728_432_000 + 20 * 1000, 2000, 5) == 2005


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_through_an_event_as_it_was_but_for_the_kind_of_its_line_ends(text: str) -> None:
    said = read(durable.data_event("text/plain; charset=utf-8", [text.encode()]))
    assert said == ("data", re.sub(r"\r\n|\r", "\n", text))


@given(st.binary())
def test_bytes_come_through_an_event_as_they_were(data: bytes) -> None:
    name, said = read(durable.data_event("application/octet-stream", [data]))
    assert (name, base64.b64decode(said, validate=True)) == ("data", data)


def test_messages_of_an_event_are_one_array() -> None:
    said = read(durable.data_event("application/json", [b'{"a":\r\n1}', b"[2]"]))[1]
    assert json.loads(said) == [{"a": 1}, [2]]


def test_a_control_says_where_the_reader_stands() -> None:
    def told(**facts: object) -> object:
        return json.loads(read(durable.control_event("k_1", cursor=7, **facts))[1])  # type: ignore[arg-type]

    assert told(up_to_date=False, closed=False) == {"streamNextOffset": "k_1", "streamCursor": "7"}
    assert told(up_to_date=True, closed=False) == {"streamNextOffset": "k_1", "streamCursor": "7", "upToDate": True}
    assert told(up_to_date=True, closed=True) == {"streamNextOffset": "k_1", "streamClosed": True, "upToDate": True}

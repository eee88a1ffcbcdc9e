"""A prediction's stream, as the clients read it: to the letter, from anywhere."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replicate.client import Client
from replicate.stream import EventSource

from engines.base import Delta, Kept, LogLine, Measured, Output
from gateway.errors import HearthError
from gateway.events import Canceled, Event, Failed, Note, Progress, Timings, Usage
from gateway.log.base import Position
from gateway.log.local import Log
from gateway.wire.replicate.stream import Stream, resume
from tests.gateway.wire.replicate.predictions import (
    ACCEPTED,
    CONCATENATED,
    EPOCH,
    FINISHED,
    ITERATOR,
    OPENED,
    PICTURE,
    PREDICTOR,
    TIMINGS,
    address_of,
    log_of,
    said,
)

BEGUN: list[Event] = [OPENED, ACCEPTED]
DONE = ("done", "{}")
EXOTIC = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
TEXTS = st.lists(
    st.text(st.sampled_from("ab: \n\r" + EXOTIC + "🔥"), max_size=6) | st.just("https:") | st.just("data:x")
)


class Heard(NamedTuple):
    id: str
    event: str
    data: str


def heard(stream: bytes) -> list[Heard]:
    """What a client hears that reads by the standard: a browser, eventsource-parser."""
    events, fields = [], {"id": "", "event": ""}
    data: list[str] = []
    for line in re.split(r"\r\n|\r|\n", stream.decode()):
        name, _, value = line.partition(":")
        if line and not name:
            continue
        if not line and data:
            events.append(Heard(fields["id"], fields["event"], "\n".join(data)))
            data = []
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif line:
            fields[name] = value.removeprefix(" ")
    assert not data
    return events


def heard_by_python(stream: bytes) -> list[tuple[str, str]]:
    """What the official Python client hears."""
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    return [(str(each.event.value), each.data) for each in EventSource(Client(api_token="t"), response)]


def spoken(log: Log, document: dict[str, Any] | None = None, **how: Any) -> bytes:
    """The stream of a log, in portions of one event and then all the rest at once."""
    stream = Stream(log, address_of, document=document, **how)
    middle = min(stream.first + 1, log.tail + 1)
    return stream.frames(stream.first, middle) + stream.frames(middle, log.tail + 1)


def events(*given: Event, prompt: Any = None, document: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    log = log_of([*BEGUN, *given], prompt) if prompt else log_of([*BEGUN, *given])
    return [(each.event, each.data) for each in heard(spoken(log, document))]


# What is said


def test_text_comes_as_it_is_said_and_then_it_is_done() -> None:
    assert (
        spoken(log_of([*BEGUN, *said("Once upon", " a time\nthere"), FINISHED]))
        == (
            f"event: output\nid: {EPOCH}-2\ndata: Once upon\n\n"
            f"event: output\nid: {EPOCH}-3\ndata:  a time\ndata: there\n\n"
            f"event: done\nid: {EPOCH}-4\ndata: {{}}\n\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (FINISHED, [DONE]),
        (Canceled("caller", Usage(), TIMINGS), [("done", '{"reason":"canceled"}')]),
        (Canceled("deadline", Usage(), Timings()), [("done", '{"reason":"canceled"}')]),
        (
            Failed("engine_failed", "It\u2028broke.", None, Usage(), TIMINGS),
            [("error", r'{"detail":"It\u2028broke."}'), ("done", '{"reason":"error"}')],
        ),
    ],
)
def test_every_end_is_told(end: Event, told: list[tuple[str, str]]) -> None:
    assert events(end) == told


def test_a_shutdown_is_an_error_that_says_what_to_do() -> None:
    (name, data), done = events(Canceled("shutdown", Usage(), TIMINGS))
    assert name == "error" and "create it again" in json.loads(data)["detail"]
    assert done == ("done", '{"reason":"error"}')


def test_logs_and_takeovers_are_logs_and_figures_are_not_told() -> None:
    told = events(LogLine("loading\n"), Measured("n", 1), Note("takeover", "Another goes on."), prompt=PREDICTOR)
    assert told == [("logs", "loading\n"), ("logs", "Another goes on.\n")]


def test_what_is_waited_for_is_a_comment() -> None:
    stream = spoken(log_of([OPENED, Progress("booting", "loading\nthe\u2028weights"), *said("a")]))
    assert stream.startswith(b": booting: loading the weights\n\n")
    assert heard_by_python(stream) == [("output", "a")]


def test_files_are_addresses_and_other_values_are_json() -> None:
    other = Kept("f2", "b.png", "image/png", 7)
    given: list[Event] = [
        Output("~1", {"~1": PICTURE}),
        Output({"a": ["~2", "\u2028"]}, {"~2": other}),
        Output("https://its.own/words"),
        Output(None),
    ]
    assert events(*given, prompt=PREDICTOR, document=ITERATOR) == [
        ("output", address_of(PICTURE)),
        ("output", f'{{"a":["{address_of(other)}","\\u2028"]}}'),
        ("output", "https://its.own/words"),
        ("output", "null"),
    ]


def test_what_reads_as_a_file_and_is_text_comes_in_two() -> None:
    split = [("output", "h"), ("output", "ttps://a")]
    assert events(*said("https://a")) == split
    assert events(Output("https://a"), prompt=PREDICTOR, document=CONCATENATED) == split
    stream = spoken(log_of([*BEGUN, *said("data:text", "https://a"), FINISHED]), exact=False)
    assert "".join(data for name, data in heard_by_python(stream) if name == "output") == "data:texthttps://a"


def test_a_stream_that_breaks_off_says_so_and_how_to_go_on() -> None:
    log = log_of([*BEGUN, *said("a", "b")])
    stream = Stream(log, address_of)
    told = heard(stream.frames(0, 3) + stream.broken("Come again."))
    assert told[-1][1:] == ("error", '{"detail":"Come again."}')
    assert [each.data for each in heard(spoken(log, after=told[-1].id))] == ["b"]
    [first] = heard(Stream(log, address_of).broken("Come again."))
    assert [each.data for each in heard(spoken(log, after=first.id))] == ["a", "b"]


# Nothing is lost


@given(TEXTS)
def test_text_arrives_to_the_letter(texts: list[str]) -> None:
    told = heard(spoken(log_of([*BEGUN, *said(*texts), FINISHED])))
    wanted = [re.sub(r"\r\n|\r", "\n", text) for text in texts]
    assert "".join(each.data for each in told[:-1]) == "".join(wanted)
    assert told[-1][1:] == DONE


@given(TEXTS)
def test_pythons_client_loses_nothing_either(texts: list[str]) -> None:
    *told, done = heard_by_python(spoken(log_of([*BEGUN, *said(*texts), FINISHED]), exact=False))
    wanted = [re.sub(f"\r\n|[\r{EXOTIC}]", "\n", text) for text in texts]
    assert "".join(data for _, data in told) == "".join(wanted)
    assert all(isinstance(data, str) for _, data in told) and done == DONE


@given(st.sets(st.sampled_from(EXOTIC), min_size=1))
def test_only_that_client_needs_it(letters: set[str]) -> None:
    log = log_of([*BEGUN, Delta(0, f"a{''.join(letters)}b"), FINISHED])
    assert heard_by_python(spoken(log)) != heard_by_python(spoken(log, exact=False))
    assert heard(spoken(log))[0].data == f"a{''.join(letters)}b"


@given(TEXTS, st.booleans())
def test_whoever_comes_back_misses_nothing_and_hears_nothing_twice(texts: list[str], exact: bool) -> None:
    end = Failed("engine_failed", "It broke.", None, Usage(), TIMINGS)
    log = log_of([*BEGUN, *said(*texts), LogLine("x"), end])
    told = heard(spoken(log, exact=exact))
    assert len({each.id for each in told}) == len(told)
    for place, each in enumerate(told, 1):
        assert heard(spoken(log, exact=exact, after=each.id)) == told[place:]


def test_an_id_is_good_after_another_replica_took_over() -> None:
    log = log_of([*BEGUN, *said("a", "https:")])
    told = heard(spoken(log))
    log.renew("nextlife")
    log.extend(said("b"))
    assert [each.data for each in heard(spoken(log, after=told[1].id))] == ["ttps:", "b"]
    assert heard(spoken(log))[-1].id == "nextlife-4"


def test_an_id_is_a_position_and_what_was_told_of_the_next_event() -> None:
    assert resume("k3f9a2xq-17") == (Position("k3f9a2xq", 17), 0)
    assert resume("k3f9a2xq-17.1") == (Position("k3f9a2xq", 17), 1)


@pytest.mark.parametrize(
    ("id", "code"),
    [
        ("1763629200123:0", "bad_position"),
        ("k3f9a2xq-1.", "bad_position"),
        ("k3f9a2xq-1.x", "bad_position"),
        ("k3f9a2xq-1.1.1", "bad_position"),
        ("elsewise-1", "epoch_mismatch"),
        (f"{EPOCH}-99", "past_the_end"),
    ],
)
def test_an_id_that_is_none_of_this_stream_is_refused(id: str, code: str) -> None:
    with pytest.raises(HearthError) as caught:
        Stream(log_of(BEGUN), address_of, after=id)
    assert caught.value.code == code

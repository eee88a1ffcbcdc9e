"""A prediction as its caller sees it, at every moment of its life."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replicate.prediction import Prediction

from engines.base import Delta, Kept, LogLine, Measured, Output
from gateway.events import Canceled, Event, Failed, Note, Progress, Timings, Usage
from gateway.log.local import Log
from gateway.predictions.record import Ending, Hook, Record
from gateway.wire.replicate.prediction import begun, created, ending, shown
from tests.gateway.wire.replicate.predictions import (
    ACCEPTED,
    ADDRESS,
    ASKED,
    CONCATENATED,
    CREATED,
    FINISHED,
    ITERATOR,
    ONE,
    OPENED,
    PICTURE,
    PLAIN_LIST,
    PREDICTOR,
    RECORD,
    TIMINGS,
    address_of,
    log_of,
    said,
)

BEGUN: list[Event] = [OPENED, ACCEPTED]
STREAM = "https://gw.example/replicate/v1/streams/s"
UNSTARTED = Timings(None, None, 2.0)


def show(
    log: Log | None, document: dict[str, Any] | None = None, record: Record = RECORD, **how: Any
) -> dict[str, Any]:
    """What a caller is shown; the official client reads it, too."""
    told = shown(record, log, document or {}, address_of, STREAM, **how)
    assert orjson.loads(orjson.dumps(told)) == told
    if told["status"] != "aborted":
        Prediction(**told)
    return told


def predicted(events: list[Event], document: dict[str, Any]) -> Any:
    """The output of a predictor that gave these events."""
    return show(log_of([*BEGUN, *events], PREDICTOR), document)["output"]


# Its life


def test_one_that_waits_is_starting() -> None:
    for waits in ([], [Progress("queued", "")], [Progress("booting", "loading")]):
        assert show(log_of([OPENED, *waits])) == {
            "id": RECORD.id,
            "model": "acme/llama",
            "version": "a" * 64,
            "status": "starting",
            "input": ASKED,
            "output": None,
            "error": None,
            "logs": "",
            "metrics": {},
            "data_removed": False,
            "source": "api",
            "created_at": "2025-11-20T09:00:00.250000Z",
            "started_at": None,
            "completed_at": None,
            "urls": {
                "get": f"{ADDRESS}/predictions/{RECORD.id}",
                "cancel": f"{ADDRESS}/predictions/{RECORD.id}/cancel",
                "web": f"{ADDRESS}/predictions/{RECORD.id}",
                "stream": STREAM,
            },
        }


def test_one_that_runs_is_processing_and_shows_what_it_has() -> None:
    told = show(log_of([*BEGUN, *said("a", "b")]))
    assert (told["status"], told["output"], told["completed_at"]) == ("processing", ["a", "b"], None)


def test_one_that_ended_says_how_long_it_took() -> None:
    told = show(log_of([*BEGUN, *said("a"), FINISHED]))
    assert (told["status"], told["output"], told["error"]) == ("succeeded", ["a"], None)
    assert told["started_at"] == "2025-11-20T09:00:01.250000Z"
    assert told["completed_at"] == "2025-11-20T09:00:03.250000Z"
    assert told["metrics"] == {
        "total_time": 3.0,
        "predict_time": 2.0,
        "input_token_count": 3,
        "output_token_count": 8,
        "tokens_per_second": 4.0,
        "time_to_first_token": 0.25,
    }


def canceled(by: Any, timings: Timings) -> Event:
    return Canceled(by, Usage(), timings)


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        (Failed("engine_failed", "It broke.", None, Usage(), TIMINGS), "failed", "It broke."),
        (Failed("boot_failed", "No room.", None, Usage(), UNSTARTED), "failed", "No room."),
        (canceled("caller", TIMINGS), "canceled", None),
        (canceled("deadline", TIMINGS), "canceled", None),
        (canceled("caller", UNSTARTED), "aborted", None),
        (canceled("deadline", UNSTARTED), "aborted", None),
        (canceled("shutdown", TIMINGS), "failed", "The server went down while this ran; create it again."),
        (canceled("shutdown", Timings()), "failed", "The server went down while this ran; create it again."),
    ],
)
def test_every_end_has_its_status(end: Event, status: str, error: str | None) -> None:
    log = log_of([OPENED, *said("part"), end])
    assert (ending(log).status, ending(log).error) == (status, error)
    told = show(log, modern=True)
    assert (told["status"], told["error"], told["output"]) == (status, error, ["part"])
    assert told["completed_at"] is not None
    assert show(log)["status"] == ("canceled" if status == "aborted" else status)


def test_one_that_never_began_was_not_paid_for_and_did_not_start() -> None:
    log = log_of([OPENED, canceled("caller", UNSTARTED)])
    assert ending(log) == Ending("aborted", CREATED + 2.0, metrics={"total_time": 2.0})
    assert show(log)["started_at"] is None


def test_what_is_written_down_is_right() -> None:
    record = msgspec.structs.replace(RECORD, ending=Ending("canceled", CREATED + 1, metrics={"total_time": 1.0}))
    told = show(log_of([*BEGUN, *said("a"), FINISHED]), record=record)
    assert (told["status"], told["output"], told["metrics"]) == ("canceled", ["a"], {"total_time": 1.0})


def test_a_record_outlives_its_data() -> None:
    end = Ending("succeeded", CREATED + 3, CREATED + 1, metrics={"predict_time": 2.0})
    told = show(None, record=msgspec.structs.replace(RECORD, ending=end))
    assert told["data_removed"] is True
    assert (told["input"], told["output"], told["logs"]) == (None, None, None)
    assert (told["status"], told["metrics"]) == ("succeeded", {"predict_time": 2.0})
    assert told["started_at"] == "2025-11-20T09:00:01.250000Z"


def test_one_that_was_lost_does_not_wait_for_ever() -> None:
    told = show(None)
    assert (told["status"], told["data_removed"]) == ("failed", True)
    assert told["error"]


def test_what_was_wanted_is_said_again() -> None:
    record = msgspec.structs.replace(
        RECORD,
        deployment="acme/prod",
        deadline=CREATED + 90,
        hook=Hook("https://me.example/hook", ("start", "completed")),
    )
    told = show(log_of(BEGUN), record=record)
    assert (told["deployment"], told["deadline"]) == ("acme/prod", "2025-11-20T09:01:30.250000Z")
    assert (told["webhook"], told["webhook_events_filter"]) == ("https://me.example/hook", ["start", "completed"])
    assert not {"deployment", "deadline", "webhook", "webhook_events_filter"} & show(log_of(BEGUN)).keys()


def test_no_address_is_null() -> None:
    assert "stream" not in shown(RECORD, log_of(BEGUN), {}, address_of)["urls"]


def test_a_reply_to_a_create_says_nothing_of_what_came_of_it() -> None:
    logs = [log_of([OPENED]), log_of([*BEGUN, LogLine("x"), *said("a")]), log_of([*BEGUN, *said("a"), FINISHED])]
    for log in logs:
        told = created(RECORD, log, STREAM)
        Prediction(**told)
        assert told == show(logs[0])


def test_its_start_is_told_as_it_was_then_whatever_has_come_of_it() -> None:
    runs, grows, over = (
        log_of(events)
        for events in (BEGUN, [*BEGUN, LogLine("x"), *said("a")], [*BEGUN, LogLine("x"), *said("a"), FINISHED])
    )
    for log in (runs, grows):
        log.generation.started = CREATED + 1
    first = begun(RECORD, runs, STREAM)
    assert first == show(runs)
    assert (first["status"], first["started_at"]) == ("processing", "2025-11-20T09:00:01.250000Z")
    for log in (grows, over):
        Prediction(**begun(RECORD, log, STREAM))
        assert begun(RECORD, log, STREAM) == first


# Its output


def test_text_that_a_client_would_take_for_a_file_comes_in_two() -> None:
    told = show(log_of([*BEGUN, *said("see ", "https://a.example", "data:", "https", "")]))
    assert told["output"] == ["see ", "h", "ttps://a.example", "d", "ata:", "https"]


def test_an_answer_without_a_word_is_an_empty_list_once_it_has_ended() -> None:
    assert show(log_of([*BEGUN, Delta(0, finish="stop")]))["output"] is None
    assert show(log_of([*BEGUN, Delta(0, finish="stop"), FINISHED]))["output"] == []


@pytest.mark.parametrize(
    ("document", "values", "output"),
    [
        (ONE, [], None),
        (ONE, ["https://x"], "https://x"),
        (ONE, [{"a": 1}], {"a": 1}),
        (ONE, [1, None], None),
        (PLAIN_LIST, [["a", "b"]], ["a", "b"]),
        (ITERATOR, ["a", "https://x"], ["a", "https://x"]),
        (ITERATOR, [["a"], {"b": 1}], [["a"], {"b": 1}]),
        (CONCATENATED, ["a", "https://x"], ["a", "h", "ttps://x"]),
    ],
)
def test_what_a_predictor_gives_is_one_value_or_a_list(
    document: dict[str, Any], values: list[Any], output: Any
) -> None:
    assert predicted([Output(value) for value in values], document) == output


def test_files_are_shown_as_addresses_however_deep_they_stand() -> None:
    other = Kept("f2", "b.png", "image/png", 7)
    value = {"best": "~1", "all": ["~1", {"second": "~2"}], "text": "about ~1", "~1": 5}
    address, second = address_of(PICTURE), address_of(other)
    assert predicted([Output(value, {"~1": PICTURE, "~2": other})], ONE) == {
        "best": address,
        "all": [address, {"second": second}],
        "text": "about ~1",
        "~1": 5,
    }
    for document, output in ((ONE, second), (ITERATOR, [address, second]), (CONCATENATED, [address, second])):
        assert predicted([Output("~1", {"~1": PICTURE}), Output("~2", {"~2": other})], document) == output


def test_a_placeholder_is_one_only_in_the_output_that_says_so() -> None:
    events: list[Event] = [Output("~1"), Output("~1", {"~1": PICTURE}), Output("~1")]
    assert predicted(events, ITERATOR) == ["~1", address_of(PICTURE), "~1"]


@given(st.lists(st.sampled_from(["a", "https:", "data:x", "h", "", "ttps:"]), max_size=12))
def test_output_only_grows_and_reads_as_it_was_said(texts: list[str]) -> None:
    log = log_of(BEGUN)
    before: list[str] = []
    for text in texts:
        log.extend(said(text))
        output = show(log)["output"] or []
        assert output[: len(before)] == before
        assert not any(each.startswith(("https:", "data:")) for each in output)
        before = output
    assert "".join(before) == "".join(texts)


# What else it says


def test_logs_are_what_the_program_printed_and_who_took_over() -> None:
    log = log_of([*BEGUN, LogLine("loading\n"), LogLine(" 42%|"), LogLine("███| 42/100\n")], PREDICTOR)
    assert show(log)["logs"] == "loading\n 42%|███| 42/100\n"
    assert Prediction(**show(log)).progress is not None
    log.extend([Note("takeover", "Another goes on.")])
    assert show(log)["logs"].endswith("42/100\nAnother goes on.\n")


def test_what_a_program_measured_stands_among_the_metrics() -> None:
    events: list[Event] = [
        *BEGUN,
        Measured("image_count", 1),
        Measured("image_count", 2),
        Measured("predict_time", 1.5),
    ]
    assert show(log_of(events, PREDICTOR))["metrics"] == {"image_count": 2, "predict_time": 1.5}
    told = ending(log_of([*events, Delta(0, finish="stop"), FINISHED], PREDICTOR))
    assert told.metrics == {"total_time": 3.0, "predict_time": 1.5, "image_count": 2}


def test_many_polls_of_a_long_answer_cost_little_each() -> None:
    log = log_of([*BEGUN, *said(*["word "] * 20_000)])
    began = time.perf_counter()
    for _ in range(200):
        shown(RECORD, log, {}, address_of)
    assert time.perf_counter() - began < 2.0

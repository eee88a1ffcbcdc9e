"""The native frames: what they say, how they fold, that nothing is lost however they are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import TokenLogprob
from gateway.events import Canceled, Delta, Event, Failed, Finished, Output, Progress, Timings, Usage
from gateway.log.local import Log
from gateway.wire import watch
from gateway.wire.snapshot import snapshot
from tests.gateway.log.contract import SAID, a_generation, pieces

END = Finished("stop", Usage(7, 2, 3), Timings(0.1, 0.2, 0.3))
letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
deltas = st.builds(
    Delta,
    st.integers(0, 2),
    letters,
    st.just((1,)),
    st.sampled_from([None, None, None, "stop"]),
    reasoning=st.sampled_from(["", "", "hm", " so"]),
    tool_calls=st.sampled_from([(), (), ({"index": 0, "function": {"arguments": "x"}},)]),
    logprobs=st.sampled_from([(), (), (TokenLogprob("a", -1.0),)]),
)
logs = st.lists(deltas | st.just(Progress("booting", "loading")), max_size=30)


def parsed(stream: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """Position, name and data of each server-sent event, by the rules of the specification."""
    assert stream.endswith(b"\n\n") or not stream
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert list(fields) == ["id", "event", "data"]
        found.append((fields["id"], fields["event"], orjson.loads(fields["data"])))
    return found


def heard(frames: Iterable[dict[str, Any]]) -> dict[int, Any]:
    """What a client makes of them, choice by choice."""
    told: dict[int, Any] = {}
    for frame in frames:
        if "c" in frame:
            one = told.setdefault(frame["c"], {"d": "", "r": "", "tool_calls": [], "logprobs": [], "finish": []})
            for field in ("d", "r", "tool_calls", "logprobs"):
                one[field] += frame.get(field, type(one[field])())
            one["finish"] += [frame["finish"]] if "finish" in frame else []
    return told


def frames(events: Sequence[Event], start: int = 0) -> list[dict[str, Any]]:
    return [data for _, _, data in parsed(watch.sse(events, "ep0ch", start))]


def test_how_long_a_boot_will_take_is_told_where_it_is_known() -> None:
    said = frames([Progress("booting", "loading", 11.2), Progress("booting", "loading")])
    assert [frame.get("ready_s") for frame in said] == [11.2, None]


def test_every_event_says_what_it_is() -> None:
    said = [(name, data) for _, name, data in parsed(watch.sse([*SAID, END], "ep0ch", 0))]
    assert said == [
        ("opened", {"o": 0, "n": 1, "generation": "gen_1", "model": "demo", "created": 1.5}),
        ("progress", {"o": 1, "n": 1, "stage": "booting", "message": "loading weights"}),
        ("accepted", {"o": 2, "n": 1, "prompt_tokens": 7, "cached_tokens": 3}),
        (
            "delta",
            {
                "o": 3,
                "n": 1,
                "c": 0,
                "d": "héllo \u2028 \r\n \x00 🔥",
                "logprobs": [
                    {
                        "token": "h",
                        "logprob": -0.5,
                        "top": [{"token": "h", "logprob": -0.5}, {"token": "j", "logprob": -1.5}],
                    }
                ],
            },
        ),
        ("delta", {"o": 4, "n": 1, "c": 1, "r": "hm"}),
        (
            "delta",
            {
                "o": 5,
                "n": 1,
                "c": 1,
                "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}],
            },
        ),
        ("delta", {"o": 6, "n": 1, "c": 0, "finish": "stop", "stop": "\n\n"}),
        ("output", {"o": 7, "n": 1, "value": {"picture": [1, None, True, "x"]}}),
        ("log", {"o": 8, "n": 1, "text": "a line"}),
        ("note", {"o": 9, "n": 1, "kind": "takeover", "message": "went on elsewhere"}),
        (
            "end",
            {
                "o": 10,
                "n": 1,
                "state": "finished",
                "reason": "stop",
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 3},
                "timings": {"started": 0.1, "first_token": 0.2, "total": 0.3},
            },
        ),
    ]


def test_an_end_tells_how_it_came() -> None:
    failed = Failed("engine_died", "It died.", "n", Usage(), Timings())
    [said] = frames([failed])
    assert (said["state"], said["reason"]) == ("failed", None)
    assert said["error"] == {"code": "engine_died", "message": "It died.", "param": "n", "retry": True}
    assert said["timings"] == {"started": None, "first_token": None, "total": None}
    [said] = frames([Canceled("abandoned", Usage(), Timings())])
    assert (said["state"], said["reason"]) == ("canceled", "abandoned")
    assert "error" not in said


def test_pieces_of_one_choice_become_one_frame_and_its_id_is_the_last_of_them() -> None:
    [(position, name, data)] = parsed(watch.sse(pieces(8), "ep0ch", 10))
    assert (position, name) == ("ep0ch-17", "delta")
    assert data == {"o": 10, "n": 8, "c": 0, "d": "0 1 2 3 4 5 6 7 "}


def test_choices_that_take_turns_stay_apart_so_that_every_frame_can_be_gone_on_from() -> None:
    turns = [Delta(index % 2, str(index)) for index in range(4)]
    assert [(frame["o"], frame["n"], frame["c"]) for frame in frames(turns)] == [(i, 1, i % 2) for i in range(4)]


def test_a_choice_ends_with_its_frame() -> None:
    said = frames([Delta(0, "a"), Delta(0, "", finish="stop"), Delta(0, "b")])
    assert [(frame.get("d"), frame.get("finish")) for frame in said] == [("a", "stop"), ("b", None)]


def test_catching_up_is_marked_and_only_that() -> None:
    assert all(data["replay"] is True for _, _, data in parsed(watch.sse(SAID, "ep0ch", 0, replay=True)))
    assert not any("replay" in data for data in frames(SAID))


@pytest.mark.parametrize(
    "text", ["\u2028", "\u2029", "\r", "\n", "\r\n\r\n", "\x00", "\x85", '"\\', "\ufeff", "🔥", "data: x\n\n"]
)
def test_no_text_breaks_a_frame_or_changes_in_it(text: str) -> None:
    assert [frame["d"] for frame in frames([Delta(0, text)])] == [text]
    [message] = watch.messages([Delta(0, text)], 0)
    assert orjson.loads(watch.on('a"\n') + message)["d"] == text


def test_a_socket_says_the_same_with_the_lane_and_the_name_inside() -> None:
    for replay in (False, True):
        events = [*SAID, END]
        messages = [orjson.loads(watch.on("läne") + each) for each in watch.messages(events, 5, replay)]
        by_sse = parsed(watch.sse(events, "ep0ch", 5, replay))
        assert messages == [{"id": "läne", "t": name, **data} for _, name, data in by_sse]


@given(logs)
def test_offsets_are_dense_and_the_id_is_the_last_one(events: list[Event]) -> None:
    expected = 3
    for position, _, data in parsed(watch.sse(events, "ep0ch", 3)):
        assert data["o"] == expected
        expected += data["n"]
        assert position == f"ep0ch-{expected - 1}"
    assert expected == 3 + len(events)


@given(logs, st.lists(st.integers(0, 30)))
def test_what_is_heard_does_not_depend_on_where_it_is_cut(events: list[Event], cuts: list[int]) -> None:
    borders = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    in_parts = [frame for start, stop in pairwise(borders) for frame in frames(events[start:stop], start)]
    one_by_one = [frame for at in range(len(events)) for frame in frames(events[at : at + 1], at)]
    assert heard(in_parts) == heard(frames(events)) == heard(one_by_one)


# How much is said at once


def a_log(*events: Event) -> Log:
    log = Log(a_generation(), "ep0ch")
    log.extend(events)
    return log


def portions(log: Log, limit: int) -> list[watch.Portion]:
    reader, found = log.read(0), []
    while reader.pending:
        found.append(watch.portion(reader, limit))
        reader.next = found[-1].stop
    return found


@pytest.mark.parametrize("text", ["word ", "wörter", "語"])
def test_a_long_log_is_said_in_frames_of_the_limit_at_most(text: str) -> None:
    log = a_log(*[Delta(0, text)] * 20_000, END)
    said = [watch.sse(log.between(start, stop), "ep0ch", start, replay) for start, stop, replay in portions(log, 65536)]
    assert max(map(len, said)) < 65536 * 1.1
    assert len(said) < 20
    assert "".join(frame.get("d", "") for part in said for _, _, frame in parsed(part)) == text * 20_000


def test_what_is_larger_than_the_limit_goes_alone() -> None:
    log = a_log(Delta(0, "a"), Delta(0, "b" * 1000), Delta(0, "c"))
    assert [(start, stop) for start, stop, _ in portions(log, 100)] == [(0, 1), (1, 2), (2, 3)]


def test_old_and_new_events_do_not_share_a_portion() -> None:
    log = a_log(*pieces(3))
    reader = log.read(0)
    log.extend(pieces(2, 3))
    assert watch.portion(reader) == (0, 3, True)
    reader.next = 3
    assert watch.portion(reader) == (3, 5, False)


# The whole


def test_a_snapshot_has_every_choice_as_far_as_it_is_known() -> None:
    generation = a_generation()
    generation.prompt = type(generation.prompt)(texts=("once",), parameters={"n": 2})
    log = Log(generation, "ep0ch")
    assert snapshot(log) == {
        "id": generation.id,
        "object": "stream",
        "model": "demo",
        "state": "queued",
        "created": 1.0,
        "epoch": "ep0ch",
        "tail": -1,
        "prompt": {"prompt": "once"},
        "choices": [{"index": index, "text": "", "finish_reason": None} for index in range(2)],
        "usage": None,
        "error": None,
    }
    log.extend([*SAID, END])
    whole = snapshot(log)
    first, second = whole["choices"]
    assert (first["text"], first["finish_reason"]) == ("héllo \u2028 \r\n \x00 🔥", "stop")
    assert (second["reasoning"], second["text"], second["finish_reason"]) == ("hm", "", None)
    assert second["tool_calls"][0]["function"] == {"name": "f", "arguments": "{"}
    assert (whole["tail"], whole["usage"]["completion_tokens"]) == (10, 2)


def test_a_snapshot_of_a_chat_shows_its_messages_and_of_a_failure_its_error() -> None:
    generation = a_generation()
    messages = ({"role": "user", "content": "hi"},)
    generation.prompt = type(generation.prompt)(messages=messages)
    log = Log(generation, "ep0ch")
    log.extend([Failed("engine_died", "It died.", None, Usage(), Timings())])
    whole = snapshot(log)
    assert whole["prompt"] == {"messages": messages}
    assert whole["error"]["code"] == "engine_died"


def test_bytes_are_said_in_base64() -> None:
    assert list(watch.frames([Output(b"\xff\x00")], 3)) == [("output", {"o": 3, "n": 1, "bytes": "/wA="})]

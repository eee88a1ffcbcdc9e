"""What upstreams stream, read: pieces, counts, ends, and what has no name here."""

from __future__ import annotations

from typing import Any

import pytest

from engines.base import UNTOLD, Accepted, Chunk, Delta, Extra, TokenLogprob
from engines.errors import EngineError
from engines.openai.asking import CHAT, TEXT, Job
from engines.openai.deltas import Deltas
from tests.engines.openai.fake import event, said

CHATTING = Job(CHAT, {}, (0,), guess=9)


def read(*events: bytes, job: Job = CHATTING) -> list[Chunk]:
    """All that a response says."""
    deltas = Deltas(job, "there:80")
    chunks = [chunk for each in events for chunk in deltas.read(each.removeprefix(b"data: "))]
    return [*chunks, *deltas.end()]


def usage(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def test_what_vllm_tells_of_tokens_is_kept() -> None:
    assert read(
        event(said(""), usage=usage(5, 0), prompt_token_ids=[1, 2]),
        event({**said("a"), "token_ids": [7, 8]}, usage=usage(5, 2)),
        event({**said("b", "stop"), "token_ids": [9], "stop_reason": "x"}, usage=usage(5, 3)),
        event(usage=usage(5, 3)),
    ) == [Accepted(5), Delta(0, "a", (7, 8)), Delta(0, "b", (9,), "stop", "x")]


def test_tokens_that_are_not_told_are_counted() -> None:
    chunks = read(
        event(said("")), event(said("a")), event(said("bc")), event(said(None, "stop")), event(usage=usage(6, 5))
    )
    assert chunks == [
        Accepted(9),
        Delta(0, "a", (UNTOLD,)),
        Delta(0, "bc", (UNTOLD,)),
        Accepted(6),
        Delta(0, "", (UNTOLD,) * 3, "stop"),
    ]


def test_without_a_count_the_pieces_are_the_count() -> None:
    *_, last = chunks = read(event(said("a")), event(said("b", "length")))
    assert chunks[0] == Accepted(9)
    assert last == Delta(0, "b", (UNTOLD,), "length")


def test_tokens_that_the_upstream_had_cached_are_told_with_the_count() -> None:
    details = {"cached_tokens": 4, "audio_tokens": 0}
    chunks = read(event(said("a", "stop")), event(usage=usage(6, 1, prompt_tokens_details=details)))
    assert Accepted(6, 4) in chunks


@pytest.mark.parametrize("told", [-3, 0, None, 10**30])
def test_a_count_of_the_prompt_that_cannot_be_is_none(told: Any) -> None:
    chunks = read(event(said("a", "stop")), event(usage={"prompt_tokens": told, "completion_tokens": 1}))
    assert [each for each in chunks if isinstance(each, Accepted)] == [Accepted(9)]


@pytest.mark.parametrize(("cached", "taken"), [(-1, 0), (7, 6)])
def test_no_more_of_a_prompt_is_cached_than_there_is(cached: int, taken: int) -> None:
    told = usage(6, 1, prompt_tokens_details={"cached_tokens": cached})
    assert Accepted(6, taken) in read(event(said("a", "stop")), event(usage=told))


@pytest.mark.parametrize(
    ("told", "asked", "counted"),
    [(-5, {}, 1), (30_000_000, {}, 1 << 18), (9, {"max_tokens": 2}, 4), (9, {"max_completion_tokens": 3}, 6)],
)
def test_an_answer_has_no_more_tokens_than_it_can(told: int, asked: dict[str, int], counted: int) -> None:
    job = Job(CHAT, asked, (0, 1))
    chunks = read(event(said("a", "stop")), event(said("", "stop", 1)), event(usage=usage(6, told)), job=job)
    assert sum(len(each.tokens) for each in chunks if isinstance(each, Delta)) == counted


def test_every_choice_has_its_place_and_ends_once() -> None:
    job = Job(CHAT, {}, (4, 6))
    chunks = read(
        event(said("a", index=1)), event(said("b", "stop", 0)), event(said(None, "stop", 1)), event(said(None, "stop")),
        job=job,
    )  # fmt: skip
    assert [(each.choice, each.finish) for each in chunks if isinstance(each, Delta)] == [
        (6, None),
        (4, "stop"),
        (6, "stop"),
    ]


def test_a_choice_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(EngineError) as refused:
        read(event(said("a", index=3)))
    assert refused.value.code == "engine_failed"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_read_under_either_name(name: str) -> None:
    thought = {"index": 0, "delta": {name: "hm"}, "finish_reason": None}
    assert read(event(thought), event(said("a", "stop")))[1] == Delta(0, tokens=(UNTOLD,), reasoning="hm")


def test_fragments_of_tool_calls_are_passed_on() -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    chunks = read(event(said(None, tool_calls=[call])), event(said(None, "tool_calls")))
    assert chunks[1] == Delta(0, tokens=(UNTOLD,), tool_calls=(call,))
    assert isinstance(chunks[2], Delta) and chunks[2].finish == "tool_calls"


def test_a_chats_log_probabilities_are_read() -> None:
    content = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.0}]}]
    chunks = read(event({**said("a", "stop"), "logprobs": {"content": content, "refusal": None}}))
    assert isinstance(chunks[1], Delta)
    assert chunks[1].logprobs == (TokenLogprob("a", -0.5, (("b", -1.0),)),)


def test_a_completions_log_probabilities_are_read_and_no_more_of_them_than_asked() -> None:
    columns = {
        "tokens": ["p", "a"],
        "token_logprobs": [None, -2.0],
        "top_logprobs": [None, {"a": -2.0, "b": -0.1}],
        "text_offset": [0, 1],
    }
    chunks = read(
        event({"index": 0, "text": "pa", "logprobs": columns, "finish_reason": "stop"}), job=Job(TEXT, {}, (0,), 1)
    )
    assert isinstance(chunks[1], Delta)
    assert chunks[1].logprobs == (TokenLogprob("a", -2.0, (("b", -0.1),)),)


def test_fields_without_a_name_are_kept_where_they_stood() -> None:
    first = event({**said("a", refusal="no", mood=None), "score": 1}, provider="P", system_fingerprint=None)
    again = event(said("b"), provider="P")
    last = event(said(None, "stop"), provider="Q")
    after = event(usage=usage(1, 2), cost=3)
    assert [each.extra for each in read(first, again, last, after) if isinstance(each, Delta)] == [
        Extra({"refusal": "no"}, {"score": 1}, {"provider": "P"}),
        None,
        Extra({}, {}, {"provider": "Q", "cost": 3}),
    ]


def test_no_choices_and_a_text_in_parts_are_an_answer_too() -> None:
    parts = {"index": 0, "delta": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}
    nothing = b'data: {"choices": null}'
    chunks = read(nothing, event(parts), nothing, event(said(None, "stop")))
    assert chunks[1:] == [Delta(0, "ab", (UNTOLD,)), Delta(0, "", (), "stop")]


def test_what_a_usage_says_beside_the_counts_is_kept() -> None:
    beside = {"completion_tokens_details": {"reasoning_tokens": 2}, "cost": 0.5}
    *_, last = read(event(said("a", "stop")), event(usage=usage(6, 3, queue_time=None, **beside)))
    assert last == Delta(0, "a", (UNTOLD,) * 3, "stop", extra=Extra(usage=beside))


def test_a_number_that_nobody_can_write_again_is_rounded() -> None:
    *_, last = read(event(said("a", "stop"), odd=10**30))
    assert isinstance(last, Delta) and last.extra == Extra({}, {}, {"odd": 1e30})


@pytest.mark.parametrize(("told", "finish"), [("eos_token", "stop"), ("function_call", "tool_calls"), ("odd", "stop")])
def test_ends_are_known_by_all_their_names(told: str, finish: str) -> None:
    *_, last = read(event(said("a", told)))
    assert isinstance(last, Delta) and last.finish == finish


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([event(said("a"))], "engine_died"),
        ([event(said("a", "abort"))], "engine_died"),
        ([event(said("a", "error"))], "engine_failed"),
        ([b'data: {"error": {"message": "out of memory", "code": 500}}'], "engine_failed"),
        ([b"data: <html>"], "engine_failed"),
        ([b"data: []"], "engine_failed"),
        ([b'data: {"choices": 3}'], "engine_failed"),
        ([b'data: {"choices": [{"delta": "a", "index": 0}]}'], "engine_failed"),
        ([b'data: {"choices": [[]]}'], "engine_failed"),
        ([b'data: {"odd": ' + b"[" * 5000 + b"]" * 5000 + b"}"], "engine_failed"),
        ([b'data: {"odd": ' + b"[" * 900 + b"]" * 900 + b"}"], "engine_failed"),
        (
            [b'data: {"choices": [{"delta": {"tool_calls": [{"a": ' + b"[" * 900 + b"]" * 900 + b"}]}}]}"],
            "engine_failed",
        ),
        ([b"data: \xff\xfe"], "engine_failed"),
        ([b'data: {"choices": [{"delta": {"content": "\xff"}}]}'], "engine_failed"),
    ],
)
def test_what_is_no_whole_answer_is_an_error(events: list[bytes], code: str) -> None:
    with pytest.raises(EngineError) as failed:
        read(*events)
    assert failed.value.code == code

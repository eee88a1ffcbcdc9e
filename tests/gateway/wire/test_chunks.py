"""OpenAI's streams and plain answers, from the events of a log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from engines.base import Accepted, Delta, Prompt, TokenLogprob
from gateway.errors import HearthError
from gateway.events import Canceled, Event, Failed, Finished, Note, Opened, Progress, Timings, Usage
from gateway.wire.answers import ChatAnswer, TextAnswer
from gateway.wire.ask import Ask
from gateway.wire.chunks import ChatChunks, Chunks, TextChunks
from tests.gateway.wire.openai_frames import EPOCH, call_of, frames_of, heard, log_of

CHAT = Prompt(messages=({"role": "user", "content": "hello"},), parameters={"n": 2})
TEXT = Prompt(texts=("a", "b"))
OPENED = Opened("gen_7", "m", 5.5)
ACCEPTED = Accepted(3, 1)
USAGE = Usage(3, 4, 1)
FINISHED = Finished("stop", USAGE, Timings())
TOLD = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 1}}


def ask(prompt: Prompt, *, include_usage: bool = False) -> Ask:
    return Ask("m", prompt, stream=True, include_usage=include_usage)


def chat(*, resumable: bool = False, include_usage: bool = False) -> Chunks:
    return ChatChunks(call_of(), ask(CHAT, include_usage=include_usage), resumable=resumable)


def stream(chunks: Chunks, events: Sequence[Event], batches: Sequence[int] = ()) -> bytes:
    """The stream of these events when they come in batches of these sizes, the rest at once."""
    log, said = log_of(), []
    reader = log.read(0)
    for size in [*batches, len(events)]:
        batch, events = events[:size], events[size:]
        if batch:
            log.extend(batch)
            said.append(chunks.frames(reader))
    return b"".join(said)


def data(chunks: Chunks, *events: Event) -> list[Any]:
    return [frame.data for frame in frames_of(stream(chunks, [OPENED, ACCEPTED, *events])) if frame.comment is None]


def test_chat_begins_with_the_role_and_ends_with_done() -> None:
    role, text, done = data(chat(), Delta(0, "hi", (1,), "stop"), FINISHED)
    assert role == {
        "id": "chatcmpl-7",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        ],
    }
    assert text["choices"] == [{"index": 0, "delta": {"content": "hi"}, "logprobs": None, "finish_reason": "stop"}]
    assert done == "[DONE]"


def test_completion_has_texts_and_no_roles() -> None:
    text, last, done = data(TextChunks(call_of(), ask(TEXT)), Delta(0, "hi"), Delta(1, "", (), "length"), FINISHED)
    assert text == {
        "id": "cmpl-7",
        "object": "text_completion",
        "created": 5,
        "model": "m",
        "choices": [{"index": 0, "text": "hi", "logprobs": None, "finish_reason": None}],
    }
    assert last["choices"] == [{"index": 1, "text": "", "logprobs": None, "finish_reason": "length"}]
    assert done == "[DONE]"


@pytest.mark.parametrize("kind", [ChatChunks, TextChunks])
def test_usage_comes_last_and_is_null_before(kind: type[Chunks]) -> None:
    chunks = kind(call_of(), ask(CHAT, include_usage=True))
    *before, last, done = data(chunks, Delta(0, "hi", (1,), "stop"), FINISHED)
    assert [chunk["usage"] for chunk in before] == [None] * len(before)
    assert last["choices"] == [] and last["usage"] == TOLD
    assert done == "[DONE]"


def test_each_choice_has_its_own_role() -> None:
    chunks = data(chat(), Delta(0, "a"), Delta(1, "b"), Delta(0, "c", (), "stop"), Delta(1, "d", (), "stop"), FINISHED)
    known = heard(chunks[:-1])
    assert [(c["role"], c["text"], c["finish"]) for c in known.values()] == [
        ("assistant", "ac", "stop"),
        ("assistant", "bd", "stop"),
    ]


def test_reasoning_and_tool_calls_have_their_places() -> None:
    fragments: list[dict[str, Any]] = [
        {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"at":1}'}},
    ]
    pieces = [Delta(0, reasoning="hm"), *(Delta(0, tool_calls=(each,)) for each in fragments)]
    chunks = data(chat(), *pieces, Delta(0, finish="tool_calls"), FINISHED)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[1:-1]]
    assert deltas == [
        {"reasoning_content": "hm"},
        {"tool_calls": [fragments[0]]},
        {"tool_calls": [fragments[1]]},
        {},
    ]


def test_chat_log_probabilities_have_bytes_and_alternatives() -> None:
    piece = Delta(0, "é", logprobs=(TokenLogprob("é", -0.5, (("é", -0.5), ("e", float("-inf")))),))
    [_, chunk] = data(chat(), piece)
    token = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    assert chunk["choices"][0]["logprobs"] == {
        "content": [{**token, "top_logprobs": [token, {"token": "e", "logprob": -9999.0, "bytes": [101]}]}],
        "refusal": None,
    }


def test_completion_log_probabilities_know_where_their_tokens_begin() -> None:
    pieces = [Delta(0, word, logprobs=(TokenLogprob(word, -1.0, ((word, -1.0),)),)) for word in ("one", " two")]
    chunks = data(TextChunks(call_of(), ask(TEXT)), *pieces)
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [
        {"tokens": ["one"], "token_logprobs": [-1.0], "top_logprobs": [{"one": -1.0}], "text_offset": [0]},
        {"tokens": [" two"], "token_logprobs": [-1.0], "top_logprobs": [{" two": -1.0}], "text_offset": [3]},
    ]


def test_stop_that_ended_a_choice_is_named() -> None:
    [_, chunk] = data(chat(), Delta(0, "a", (), "stop", "###"))
    assert chunk["choices"][0]["stop_reason"] == "###"


def test_waiting_is_told_in_comments_of_one_line() -> None:
    said = stream(chat(), [OPENED, Progress("booting", "loading\nweights\r\n\n"), Note("took over", "x")])
    assert said == b": booting m: loading weights\n\n"


def test_how_long_a_boot_will_take_is_told_in_whole_seconds() -> None:
    said = stream(chat(), [OPENED, Progress("booting", "loading", 11.8), Progress("booting", "loading", 0.1)])
    assert said == b": booting m: loading (about 12 s)\n\n: booting m: loading (about 1 s)\n\n"


def test_text_of_any_kind_stays_in_its_frame() -> None:
    text = 'a\n\ndata: [DONE]\r\n\r\n"\\\x00\u2028 é 🦊'
    [_, chunk] = data(chat(), Delta(0, text))
    assert chunk["choices"][0]["delta"]["content"] == text


def test_failure_is_an_error_frame_and_never_done() -> None:
    failed = Failed("engine_died", "it died", None, USAGE, Timings())
    *_, last = data(chat(), Delta(0, "a"), failed)
    error = last["error"]
    assert (error["code"], error["message"], error["type"], error["retry"]) == (
        "engine_died",
        "it died",
        "server_error",
        True,
    )


@pytest.mark.parametrize(("by", "code"), [("caller", "canceled"), ("abandoned", "canceled"), ("shutdown", "draining")])
def test_stopped_generation_says_by_whom(by: Any, code: str) -> None:
    *_, last = data(chat(), Delta(0, "a"), Canceled(by, USAGE, Timings()))
    assert last["error"]["code"] == code


def test_cut_is_an_error_frame() -> None:
    [frame] = frames_of(chat().cut("draining"))
    assert frame.data["error"]["code"] == "draining"


def test_frames_of_resumable_streams_begin_with_their_position() -> None:
    said = stream(chat(resumable=True, include_usage=True), [OPENED, ACCEPTED, Delta(0, "a", (), "stop"), FINISHED])
    frames = frames_of(said)
    assert [frame.names[0] for frame in frames] == ["id"] * 4
    # A client that has only the role, or only the usage, must be given the event itself again.
    assert [frame.id for frame in frames] == [f"{EPOCH}-{offset}" for offset in (1, 2, 2, 3)]


# Any log, in any batches.

WORDS = st.text(max_size=4)
TOKENS = st.builds(TokenLogprob, WORDS, st.just(-0.5), st.just((("x", -1.0),)))
FRAGMENTS = st.builds(
    lambda id, arguments: {"index": 0, "id": id, "function": {"name": id, "arguments": arguments}},
    st.sampled_from([None, "c"]),
    WORDS,
)
PLAIN = st.builds(Delta, st.integers(0, 1), WORDS, reasoning=WORDS)
RICH = st.builds(
    lambda choice, text, calls, logprobs: Delta(choice, text, tool_calls=calls, logprobs=logprobs),
    st.integers(0, 1),
    WORDS,
    st.lists(FRAGMENTS, max_size=2).map(tuple),
    st.lists(TOKENS, max_size=2).map(tuple),
)
BETWEEN = st.just(Progress("prefill", "x")) | st.just(Note("a", "b"))
LOGS = st.lists(PLAIN | PLAIN | RICH | BETWEEN, max_size=12).map(
    lambda pieces: [OPENED, ACCEPTED, *pieces, Delta(0, "!", (), "stop"), Delta(1, "?", (), "length"), FINISHED]
)
BATCHES = st.lists(st.integers(1, 4), max_size=20)
KINDS = st.sampled_from([(ChatChunks, ChatAnswer, CHAT), (TextChunks, TextAnswer, TEXT)])


@settings(deadline=None)
@given(kind=KINDS, events=LOGS, batches=BATCHES, resumable=st.booleans())
def test_any_batches_say_what_the_plain_answer_says(
    kind: Any, events: list[Event], batches: list[int], resumable: bool
) -> None:
    chunks, answer, prompt = kind
    frames = frames_of(stream(chunks(call_of(), ask(prompt), resumable=resumable), events, batches))
    *said, done = [frame.data for frame in frames if frame.comment is None]
    plain = answer(call_of(), ask(prompt))
    plain.add(events)
    assert done == "[DONE]"
    assert heard(said) == heard([json.loads(plain.body())])
    if chunks is ChatChunks:
        # OpenAI's own types know no null for the finish of a completion's chunk, though its service sends it.
        for chunk in said:
            ChatCompletionChunk.model_validate(chunk)
        ChatCompletion.model_validate_json(plain.body())
    else:
        Completion.model_validate_json(plain.body())


@settings(deadline=None)
@given(events=LOGS, batches=BATCHES)
def test_each_position_is_exactly_what_was_said_before_it(events: list[Event], batches: list[int]) -> None:
    known: dict[int, str] = {0: "", 1: ""}
    for frame in frames_of(stream(chat(resumable=True), events, batches)):
        if frame.comment is None and frame.data != "[DONE]":
            for choice in frame.data["choices"]:
                known[choice["index"]] += choice["delta"].get("content") or ""
            position = int(str(frame.id).removeprefix(f"{EPOCH}-"))
            for index, text in known.items():
                upto = [e for e in events[: position + 1] if isinstance(e, Delta) and e.choice == index]
                assert text == "".join(piece.text for piece in upto)


def test_pieces_that_wait_together_are_said_together() -> None:
    chunks = data(chat(), *(Delta(0, str(index)) for index in range(100)))
    assert len(chunks) == 2


def test_plain_answer_has_all_there_is() -> None:
    call: dict[str, Any] = {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "{"}}
    rest: dict[str, Any] = {"index": 0, "function": {"arguments": "}"}}
    plain = ChatAnswer(call_of(), Ask("m", Prompt(messages=CHAT.messages)))
    plain.add([OPENED, ACCEPTED, Delta(0, reasoning="hm"), Delta(0, tool_calls=(call,))])
    plain.add([Delta(0, tool_calls=(rest,), finish="tool_calls"), FINISHED])
    assert json.loads(plain.body()) == {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": TOLD,
    }


def test_plain_answer_of_a_failed_generation_is_its_error() -> None:
    plain = TextAnswer(call_of(), Ask("m", TEXT))
    with pytest.raises(HearthError) as failed:
        plain.add([OPENED, Failed("context_length_exceeded", "too long", "prompt", USAGE, Timings())])
    assert (failed.value.code, failed.value.parameter) == ("context_length_exceeded", "prompt")

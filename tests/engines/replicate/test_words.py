"""What Replicate says, read: streams, outputs, counts, stages, and the names of its models."""

from __future__ import annotations

import pytest

from engines.base import Accepted, Prompt
from engines.errors import EngineError
from engines.replicate.counting import Counting
from engines.replicate.output import ending, rest, text
from engines.replicate.source import parse
from engines.replicate.sse import Decoder, Event
from engines.replicate.stages import stage
from engines.replicate.wire import Metrics, Prediction

WIRE = (": hi\r\n\r\nevent: output\nid: 1:0\ndata: Grüße,\u2028 \ndata:  you\n\nevent:done\rdata\r\rid: 7\n\n").encode()
EVENTS = [Event("output", "Grüße,\u2028 \n you"), Event("done", "")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(WIRE)])
def test_events_are_read_however_the_network_cuts_them(size: int) -> None:
    decoder = Decoder()
    cuts = range(0, len(WIRE), size)
    assert [event for cut in cuts for event in decoder.feed(WIRE[cut : cut + size])] == EVENTS


def test_an_event_without_end_is_not_kept() -> None:
    decoder = Decoder()
    with pytest.raises(ValueError, match="bytes"):
        for _ in range(10):
            decoder.feed(b"data: " + b"x" * (1 << 20))
    decoder = Decoder()
    with pytest.raises(ValueError, match="bytes"):
        for _ in range(10):
            decoder.feed(b"data: " + b"x" * (1 << 20) + b"\n")


@pytest.mark.parametrize(
    ("output", "speaks", "said"),
    [
        (None, True, ""),
        (["Once", " upon\r\n", "a"], True, "Once upon\na"),
        ("Once", False, "Once"),
        (["a", "b"], False, '["a","b"]'),
        ({"label": "good"}, False, '{"label":"good"}'),
        (0.5, False, "0.5"),
        (["a", 1], True, "a1"),
    ],
)
def test_an_output_is_text_or_told_as_json(output: object, speaks: bool, said: str) -> None:
    assert text(output, speaks=speaks) == said


def test_what_is_told_is_not_told_again() -> None:
    assert rest("Once", "Once upon") == " upon"
    assert rest("", "Once") == "Once"
    assert rest("Twice", "Once upon a") == ""


@pytest.mark.parametrize(
    ("tokens", "pieces", "most", "left", "finish"),
    [
        (5, 5, 8, 0, "stop"),
        (8, 3, 8, 5, "length"),
        (2, 3, 8, 0, "stop"),
        (None, 3, 8, 0, "stop"),
        (9, 9, None, 0, "stop"),
    ],
)
def test_the_last_delta_makes_the_count_good(
    tokens: int | None, pieces: int, most: int | None, left: int, finish: str
) -> None:
    prediction = Prediction("x", "succeeded", metrics=Metrics(output_token_count=tokens))
    last = ending(1, prediction, pieces, most)
    assert (last.choice, last.text, len(last.tokens), last.finish) == (1, "", left, finish)


def test_counts_are_of_all_answers_and_a_prompt_counts_once() -> None:
    counting = Counting(Prompt(texts=("a", "b"), parameters={"n": 2}))
    for choice in range(4):
        counting.add(choice, Metrics(0.5, 10, choice), 9.0)
    assert counting.counted == Accepted(20, seconds=2.0)


def test_what_one_prediction_does_not_tell_is_a_guess_of_all_and_its_seconds_are_those_it_was_seen() -> None:
    counting = Counting(Prompt(texts=("a", "b")))
    counting.add(0, Metrics(0.5, 10, 3), 9.0)
    counting.add(1, None, 2.0)
    assert counting.counted == Accepted(counting.guess.prompt_tokens, seconds=2.5)


@pytest.mark.parametrize(
    ("status", "logs", "seconds", "told"),
    [
        ("starting", None, 1, "waiting for Replicate to begin"),
        ("starting", "", 6, "Replicate boots it"),
        ("processing", None, 6, "waiting for the first token"),
        ("processing", "one\ntwo\n", 6, "Replicate: two"),
    ],
)
def test_a_stage_is_told_in_words(status: str, logs: str | None, seconds: float, told: str) -> None:
    assert stage(Prediction("x", status, logs=logs), seconds) == told


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("meta/meta-llama-3-8b-instruct", ("meta/meta-llama-3-8b-instruct", None, False)),
        (f"a16z-infra/llama:{'0' * 64}", ("a16z-infra/llama", "0" * 64, False)),
        ("0" * 64, (None, "0" * 64, False)),
        ("deployments/acme/my.llama", ("acme/my.llama", None, True)),
    ],
)
def test_a_source_is_read_and_written_alike(source: str, parts: tuple[object, ...]) -> None:
    read = parse(source, {})
    assert tuple(read)[:3] == parts
    assert str(read) == source
    assert read.options.url == "https://api.replicate.com/v1"


@pytest.mark.parametrize(
    ("source", "knobs"),
    [
        ("", {}),
        ("llama", {}),
        ("meta/llama:latest", {}),
        ("a/b/c", {}),
        ("../b", {}),
        (f"deployments/a/b:{'0' * 64}", {}),
        ("a/b", {"colour": "red"}),
        ("a/b", {"stays_warm_s": "0"}),
        ("a/b", {"stays_warm_s": "inf"}),
        ("a/b", {"context_length": "0"}),
        ("a/b", {"url": "ftp://example.com"}),
        ("a/b", {"url": "https://example.com:x/v1"}),
        ("a/b", {"url": "https://me:hush@example.com/v1"}),
    ],
)
def test_what_names_no_model_is_refused(source: str, knobs: dict[str, str]) -> None:
    with pytest.raises(EngineError) as refused:
        parse(source, knobs)
    assert refused.value.code == "bad_model_source"
    assert "hush" not in refused.value.message

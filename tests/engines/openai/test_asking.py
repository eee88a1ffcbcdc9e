"""What an upstream is asked for a prompt."""

from __future__ import annotations

from engines.base import Prompt
from engines.openai.asking import CHAT, EMBED, TEXT, Manners, answers, vectors
from tests.engines.asking import chat

PLAIN = Manners("m")
VLLM = Manners("m", tells_tokens=True)


def test_a_chat_is_asked_as_it_came_with_what_nobody_here_knows() -> None:
    [job] = answers(chat("hi", temperature=0.5, grammar="x", n=2), PLAIN)
    assert job.path == CHAT
    assert job.places == (0, 1)
    assert job.body == {
        "messages": ({"role": "user", "content": "hi"},),
        "temperature": 0.5,
        "grammar": "x",
        "n": 2,
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_service_is_told_what_is_for_it_alone() -> None:
    passing = {"user": "ann", "service_tier": "flex", "metadata": {"a": "b"}}
    asked = [
        *answers(Prompt(messages=({"role": "user", "content": "hi"},), passing=passing), PLAIN),
        *answers(Prompt(texts=("a",), passing=passing), PLAIN),
        *vectors(Prompt(texts=("a",), passing=passing), PLAIN),
    ]
    for job in asked:
        assert job.body | passing == job.body


def test_vllm_is_asked_for_its_tokens_and_counts() -> None:
    [job] = answers(chat("hi"), VLLM)
    assert job.body["return_token_ids"] is True
    assert job.body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


def test_an_echo_is_not_asked_for_with_tokens() -> None:
    [job] = answers(Prompt(texts=("a",), parameters={"echo": True}), VLLM)
    assert "return_token_ids" not in job.body


def test_openais_own_chats_are_limited_by_their_own_name() -> None:
    [job] = answers(chat("hi", max_tokens=3), Manners("m", completion_limit=True))
    assert job.body["max_completion_tokens"] == 3
    assert "max_tokens" not in job.body


def test_one_text_is_no_list_and_several_of_a_kind_are_one_request() -> None:
    [alone] = answers(Prompt(texts=("a",)), PLAIN)
    assert (alone.path, alone.body["prompt"]) == (TEXT, "a")
    [several] = answers(Prompt(texts=("a", "b"), parameters={"n": 2}), PLAIN)
    assert (several.body["prompt"], several.places) == (["a", "b"], (0, 1, 2, 3))


def test_strings_and_token_ids_are_asked_apart_and_keep_their_places() -> None:
    strings, tokens = answers(Prompt(texts=("a", (1, 2), "b"), parameters={"n": 2}), PLAIN)
    assert (strings.body["prompt"], strings.places) == (["a", "b"], (0, 1, 4, 5))
    assert (tokens.body["prompt"], tokens.places) == ((1, 2), (2, 3))


def test_vectors_are_asked_for_in_their_short_form() -> None:
    [job] = vectors(Prompt(texts=("a", "b"), parameters={"dimensions": 3}), PLAIN)
    assert job.path == EMBED
    assert job.body == {"encoding_format": "base64", "dimensions": 3, "model": "m", "input": ["a", "b"]}
    assert job.too_long == "input"

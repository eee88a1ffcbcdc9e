"""OpenAI bodies that are understood: what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from engines.base import Prompt
from gateway.wire import chat, completions
from gateway.wire.ask import Ask
from gateway.wire.prompt import parse

HELLO = [{"role": "user", "content": "hello"}]
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def asked(**fields: Any) -> dict[str, Any]:
    """The parameters that a chat with these fields asks for."""
    return chat.parse({"model": "m", "messages": HELLO, **fields}).prompt.parameters


def texts(prompt: Any, **fields: Any) -> Prompt:
    """The prompt of a completion."""
    return completions.parse({"model": "m", "prompt": prompt, **fields}).prompt


def test_chat_becomes_an_ask() -> None:
    ask = chat.parse({"model": "m", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}})
    assert ask == Ask("m", Prompt(messages=tuple(HELLO)), stream=True, include_usage=True)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", ("",)),
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_prompt_may_be_a_text_or_tokens_or_several_of_either(prompt: Any, expected: Any) -> None:
    assert texts(prompt).texts == expected


def test_choices_are_answers_times_texts() -> None:
    assert texts(["a", "b"], n=3).choices == 6


def test_completion_that_names_no_length_is_short_as_openai_has_it() -> None:
    assert texts("a").parameters == {"max_tokens": 16}
    assert texts("a", min_tokens=40).parameters["max_tokens"] == 40


def test_names_of_one_parameter_become_one() -> None:
    assert asked(max_completion_tokens=7) == {"max_tokens": 7}
    assert asked(max_completion_tokens=7, max_tokens=9) == {"max_tokens": 7}


def test_forms_of_one_value_become_one() -> None:
    assert asked(stop="x", temperature=1) == asked(stop=["x"], temperature=1.0)
    assert isinstance(asked(temperature=1)["temperature"], float)


def test_fields_that_only_carry_the_answer_are_left_out() -> None:
    carried = {"stream": False, "user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"}
    assert asked(**carried, safety_identifier="s", prompt_cache_key="k", prompt_cache_retention="24h") == {}


def test_nulls_and_values_that_say_nothing_are_left_out() -> None:
    silent = {"stop": [], "tools": [], "logprobs": False, "logit_bias": {}, "response_format": {"type": "text"}}
    assert asked(**silent, temperature=None, tool_choice="auto", parallel_tool_calls=True, top_logprobs=0) == {}
    assert texts("a", best_of=1, suffix="", echo=False, max_tokens=1).parameters == {"max_tokens": 1}


def test_no_log_probabilities_and_only_the_tokens_own_are_two_things() -> None:
    assert texts("a", logprobs=0).parameters["logprobs"] == 0


def test_names_nobody_knows_are_passed_on_to_the_engine() -> None:
    assert asked(mirostat={"tau": 5}) == {"mirostat": {"tau": 5}}


def test_vllm_extensions_are_taken() -> None:
    extensions = {
        "top_k": -1,
        "min_p": 0.1,
        "repetition_penalty": 1.5,
        "min_tokens": 2,
        "ignore_eos": True,
        "stop_token_ids": [1],
        "bad_words": ["x"],
        "allowed_token_ids": [1],
        "truncate_prompt_tokens": -1,
        "structured_outputs": {"choice": ["a", "b"]},
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert asked(**extensions) == extensions


def test_response_formats_are_taken() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}}
    assert asked(response_format=schema) == {"response_format": schema}
    assert asked(response_format={"type": "json_object"}) == {"response_format": {"type": "json_object"}}


def test_tools_and_the_choice_among_them_are_taken() -> None:
    named = {"type": "function", "function": {"name": "look"}}
    assert asked(tools=[LOOK], tool_choice=named) == {"tools": [LOOK], "tool_choice": named}
    assert asked(tools=[LOOK], tool_choice="required")["tool_choice"] == "required"


def test_turn_of_the_assistant_comes_back_as_clients_send_it() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turns = [
        {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}], "name": "ann"},
        {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call], "audio": None},
        {"role": "tool", "tool_call_id": "c", "content": "a fox"},
        {"role": "assistant", "content": "I see a fox.", "tool_calls": [], "reasoning_content": "hm"},
    ]
    messages = chat.parse({"model": "m", "messages": turns}).prompt.messages
    assert messages[2] == {"role": "assistant", "tool_calls": [call]}
    assert messages[4] == {"role": "assistant", "content": "I see a fox.", "reasoning_content": "hm"}


def test_any_body_is_told_by_what_it_holds() -> None:
    assert parse({"model": "m", "messages": HELLO}).prompt.is_chat
    assert not parse({"model": "m", "prompt": "a"}).prompt.is_chat

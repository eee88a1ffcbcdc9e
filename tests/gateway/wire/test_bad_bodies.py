"""OpenAI bodies that are wrong: each is refused, and the field at fault is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import HearthError
from gateway.wire import chat, completions
from gateway.wire.prompt import parse

HELLO = [{"role": "user", "content": "hello"}]
LOOK = {"type": "function", "function": {"name": "look"}}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}

BOTH: list[tuple[str, dict[str, Any]]] = [
    ("stop_token_ids", {"stop_token_ids": list(range(20_000))}),
    ("allowed_token_ids", {"allowed_token_ids": list(range(20_000))}),
    ("logit_bias", {"logit_bias": {str(token): 1 for token in range(5000)}}),
    ("bad_words", {"bad_words": ["a"] * 2000}),
    ("structured_outputs.choice", {"structured_outputs": {"choice": ["a"] * 1001}}),
    ("structured_outputs", {"structured_outputs": {"regex": "a" * 40_000}}),
    ("structured_outputs", {"structured_outputs": {"choice": ["a" * 100] * 500}}),
    ("model", {"model": None}),
    ("model", {"model": ""}),
    ("model", {"model": 7}),
    ("temperature", {"temperature": -0.1}),
    ("temperature", {"temperature": 2.1}),
    ("temperature", {"temperature": "hot"}),
    ("temperature", {"temperature": True}),
    ("temperature", {"temperature": float("nan")}),
    ("temperature", {"temperature": float("inf")}),
    ("top_p", {"top_p": 0}),
    ("top_p", {"top_p": 1.1}),
    ("top_k", {"top_k": -2}),
    ("top_k", {"top_k": 1.5}),
    ("min_p", {"min_p": -1}),
    ("n", {"n": 0}),
    ("n", {"n": 129}),
    ("n", {"n": True}),
    ("n", {"n": "2"}),
    ("seed", {"seed": 2**63}),
    ("seed", {"seed": 0.5}),
    ("stop", {"stop": ""}),
    ("stop", {"stop": 7}),
    ("stop.1", {"stop": ["a", ""]}),
    ("stop", {"stop": ["a"] * 33}),
    ("stop_token_ids.0", {"stop_token_ids": ["a"]}),
    ("stop_token_ids.0", {"stop_token_ids": [-1]}),
    ("allowed_token_ids", {"allowed_token_ids": []}),
    ("bad_words.0", {"bad_words": [""]}),
    ("presence_penalty", {"presence_penalty": -2.5}),
    ("frequency_penalty", {"frequency_penalty": 2.5}),
    ("repetition_penalty", {"repetition_penalty": 0}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": -1}),
    ("max_tokens", {"max_tokens": 1.0}),
    ("max_completion_tokens", {"max_completion_tokens": -1}),
    ("min_tokens", {"min_tokens": 9, "max_tokens": 8}),
    ("ignore_eos", {"ignore_eos": 1}),
    ("logit_bias", {"logit_bias": [1]}),
    ("logit_bias", {"logit_bias": {"fox": 1}}),
    ("logit_bias", {"logit_bias": {"9" * 5000: 1}}),
    ("logit_bias.7", {"logit_bias": {"7": 101}}),
    ("stream", {"stream": 1}),
    ("stream", {"stream": "true"}),
    ("stream_options", {"stream_options": {"include_usage": True}}),
    ("stream_options", {"stream": True, "stream_options": True}),
    ("stream_options.include_usage", {"stream": True, "stream_options": {"include_usage": 1}}),
    ("response_format", {"response_format": "json"}),
    ("response_format.type", {"response_format": {}}),
    ("response_format.type", {"response_format": {"type": "xml"}}),
    ("response_format.json_schema", {"response_format": {"type": "json_schema"}}),
    ("response_format.json_schema.name", {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}),
    ("response_format.json_schema.schema", {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
    ("structured_outputs", {"structured_outputs": {}}),
    ("structured_outputs", {"structured_outputs": {"regex": "a", "choice": ["a"]}}),
    ("structured_outputs.choice", {"structured_outputs": {"choice": []}}),
    ("structured_outputs", {"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}}),
    ("guided_json", {"guided_json": {}}),
    ("best_of", {"best_of": 2}),
    ("use_beam_search", {"use_beam_search": True}),
    ("prompt_logprobs", {"prompt_logprobs": 1}),
    ("return_token_ids", {"return_token_ids": True}),
]

CHAT: list[tuple[str, dict[str, Any]]] = [
    ("prompt", {"prompt": "a"}),
    ("messages", {"messages": None}),
    ("messages", {"messages": []}),
    ("messages", {"messages": "hello"}),
    ("messages.0", {"messages": ["hello"]}),
    ("messages.0.role", {"messages": [{"content": "hello"}]}),
    ("messages.1.role", {"messages": [*HELLO, {"role": "king", "content": "hello"}]}),
    ("messages.0.role", {"messages": [{"role": ["user"], "content": "hello"}]}),
    ("messages.0.content", {"messages": [{"role": "user"}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": None}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": 7}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": []}]}),
    ("messages.0.content", {"messages": [{"role": "assistant", "content": None}]}),
    ("messages.0.content.0", {"messages": [{"role": "user", "content": ["hello"]}]}),
    ("messages.0.content.0.type", {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}),
    ("messages.0.content.0.type", {"messages": [{"role": "user", "content": [{"type": "smell"}]}]}),
    ("messages.0.content.0.type", {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]}),
    ("messages.0.content.0.text", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
    (
        "messages.0.content.0.image_url.url",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    ),
    ("messages.0.name", {"messages": [{"role": "user", "content": "a", "name": 7}]}),
    ("messages.0.tool_call_id", {"messages": [{"role": "tool", "content": "a"}]}),
    ("messages.0.tool_calls", {"messages": [{"role": "user", "content": "a", "tool_calls": [CALL]}]}),
    ("messages.0.tool_calls.0.id", {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "id": None}]}]}),
    (
        "messages.0.tool_calls.0.function.arguments",
        {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "x", "arguments": {}}}]}]},
    ),
    ("logprobs", {"logprobs": 3}),
    ("top_logprobs", {"logprobs": True, "top_logprobs": 21}),
    ("top_logprobs", {"top_logprobs": 2}),
    ("tools", {"tools": {}}),
    ("tools.0.type", {"tools": [{"type": "custom"}]}),
    ("tools.0.function", {"tools": [{"type": "function"}]}),
    ("tools.0.function.name", {"tools": [{"type": "function", "function": {"name": ""}}]}),
    ("tools.0.function.parameters", {"tools": [{"type": "function", "function": {"name": "x", "parameters": []}}]}),
    ("tool_choice", {"tool_choice": "required"}),
    ("tool_choice", {"tools": [LOOK], "tool_choice": "maybe"}),
    ("tool_choice", {"tools": [LOOK], "tool_choice": {"type": "allowed_tools"}}),
    ("tool_choice", {"tools": [LOOK], "tool_choice": {"type": "function", "function": {"name": "listen"}}}),
    ("parallel_tool_calls", {"parallel_tool_calls": "yes"}),
    ("reasoning_effort", {"reasoning_effort": "huge"}),
    ("modalities.0", {"modalities": ["audio"]}),
    ("functions", {"functions": [{"name": "x"}]}),
    ("suffix", {"suffix": "x"}),
    ("chat_template_kwargs", {"chat_template_kwargs": []}),
    ("continue_final_message", {"continue_final_message": True, "add_generation_prompt": True}),
]

TEXT: list[tuple[str, dict[str, Any]]] = [
    ("messages", {"messages": HELLO}),
    ("prompt", {"prompt": None}),
    ("prompt", {"prompt": 7}),
    ("prompt", {"prompt": {}}),
    ("prompt", {"prompt": []}),
    ("prompt.1", {"prompt": ["a", 1]}),
    ("prompt.1", {"prompt": [1, "a"]}),
    ("prompt.1", {"prompt": [1, True]}),
    ("prompt.0", {"prompt": [-1]}),
    ("prompt.0", {"prompt": [1.5]}),
    ("prompt.1", {"prompt": [[1], []]}),
    ("prompt.0.1", {"prompt": [[1, None]]}),
    ("prompt", {"prompt": ["a"] * 9, "n": 128}),
    ("logprobs", {"logprobs": True}),
    ("logprobs", {"logprobs": 21}),
    ("suffix", {"suffix": "the end"}),
    ("tools", {"tools": [LOOK]}),
    ("top_logprobs", {"top_logprobs": 2}),
]


def refusal(body: dict[str, Any], route: Any) -> HearthError:
    with pytest.raises(HearthError) as refused:
        route.parse(body)
    assert refused.value.code == "invalid_request"
    assert refused.value.message.endswith(".") and len(refused.value.message) < 300
    return refused.value


@pytest.mark.parametrize(
    ("parameter", "fields"), BOTH + CHAT, ids=lambda value: value if isinstance(value, str) else ""
)
def test_chat_is_refused_by_the_field_at_fault(parameter: str, fields: dict[str, Any]) -> None:
    assert refusal({"model": "m", "messages": HELLO, **fields}, chat).parameter == parameter


@pytest.mark.parametrize(
    ("parameter", "fields"), BOTH + TEXT, ids=lambda value: value if isinstance(value, str) else ""
)
def test_completion_is_refused_by_the_field_at_fault(parameter: str, fields: dict[str, Any]) -> None:
    assert refusal({"model": "m", "prompt": "hello", **fields}, completions).parameter == parameter


def test_message_says_what_would_be_right() -> None:
    refused = refusal({"model": "m", "messages": HELLO, "temperature": 3}, chat)
    assert refused.message == "`temperature` must be a number from 0 to 2, not 3."


def test_body_that_asks_for_nothing_is_told_of_both_forms() -> None:
    with pytest.raises(HearthError, match=r"`messages`.*`prompt`"):
        parse({"model": "m"})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "messages",
        "stream_options",
        "response_format",
        "structured_outputs",
        "tools",
        "tool_choice",
        "logit_bias",
        "stop",
    ]
)


@settings(deadline=None, max_examples=60)
@given(field=FIELDS, value=ANYTHING, chats=st.booleans())
def test_no_value_whatever_breaks_the_reading(field: str, value: Any, chats: bool) -> None:
    route: Any = chat if chats else completions
    body: dict[str, Any] = {"model": "m", "stream": True, ("messages" if chats else "prompt"): HELLO if chats else "a"}
    try:
        route.parse(body | {field: value})
    except HearthError as error:
        assert error.code == "invalid_request"


def nested(depth: int) -> Any:
    """Lists in lists, so deep."""
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [70, 900])
@pytest.mark.parametrize(
    "body",
    [
        {"messages": HELLO, "chat_template_kwargs": "HERE"},
        {"messages": [{"role": "user", "content": "x", "extra": "HERE"}]},
        {"prompt": "x", "vllm_xargs": "HERE"},
    ],
)
def test_a_body_that_is_nested_without_end_is_refused(body: dict[str, Any], depth: int) -> None:
    def placed(value: Any) -> Any:
        if value == "HERE":
            return {"deep": nested(depth)}
        if isinstance(value, dict):
            return {name: placed(each) for name, each in value.items()}
        return [placed(each) for each in value] if isinstance(value, list) else value

    with pytest.raises(HearthError, match="nested deeper"):
        parse({"model": "demo", **placed(body)})


def test_more_messages_than_a_chat_may_have_are_refused() -> None:
    with pytest.raises(HearthError, match="at most 8192 messages"):
        parse({"model": "demo", "messages": HELLO * 8193})


def test_more_tools_than_a_chat_may_have_are_refused() -> None:
    with pytest.raises(HearthError, match="at most 512 tools"):
        parse({"model": "demo", "messages": HELLO, "tools": [LOOK] * 600})

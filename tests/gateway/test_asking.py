"""The name of an ask over every documented parameter: what can change the answer splits it, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cache.memory import MemoryCache
from engines.base import Traits
from gateway.caching import Bypass, Caching, Policy, Question
from gateway.idempotency import digest
from gateway.keys import LOCAL, Key
from gateway.metrics import Metrics
from gateway.wire import chat, completions
from gateway.wire.ask import PASSING, TRANSPORT
from gateway.wire.cache_control import PLAIN
from gateway.wire.parameters import BOTH, CHAT, REFUSED, TEXT

Body = dict[str, Any]

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
OTHER_TOOL = {"type": "function", "function": {"name": "g", "parameters": SCHEMA}}

FORMS: dict[str, tuple[Any, Any]] = {
    "add_generation_prompt": (True, False),
    "add_special_tokens": (True, False),
    "allowed_token_ids": ([1, 2], [1, 3]),
    "bad_words": (["a"], ["b"]),
    "cache_salt": ("a", "b"),
    "chat_template": ("{{ messages }}", "{{ messages[0] }}"),
    "chat_template_kwargs": ({"thinking": True}, {"thinking": False}),
    "continue_final_message": (True, False),
    "documents": ([{"text": "a"}], [{"text": "b"}]),
    "echo": (True, None),
    "frequency_penalty": (0.5, 1),
    "ignore_eos": (True, False),
    "include_reasoning": (True, False),
    "include_stop_str_in_output": (True, False),
    "length_penalty": (1.5, 2),
    "logit_bias": ({"5": 1}, {"5": 2}),
    "logprobs": (True, None),
    "max_completion_tokens": (5, 6),
    "max_tokens": (7, 8),
    "min_p": (0.1, 0.2),
    "min_tokens": (1, 2),
    "mm_processor_kwargs": ({"a": 1}, {"a": 2}),
    "n": (2, 3),
    "parallel_tool_calls": (True, False),
    "presence_penalty": (0.5, 1),
    "reasoning_effort": ("low", "high"),
    "repetition_penalty": (1.1, 1.2),
    "response_format": (
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    ),
    "seed": (1, 2),
    "skip_special_tokens": (True, False),
    "spaces_between_special_tokens": (True, False),
    "stop": (["a"], "b"),
    "stop_token_ids": ([1], [2]),
    "structured_outputs": ({"regex": "a"}, {"regex": "b"}),
    "temperature": (0.1, 0.2),
    "thinking_token_budget": (10, 20),
    "tool_choice": ("none", "required"),
    "tools": ([TOOL], [TOOL, OTHER_TOOL]),
    "top_k": (3, 4),
    "top_logprobs": (2, 3),
    "top_p": (0.5, 0.6),
    "truncate_prompt_tokens": (5, 6),
    "truncation_side": ("left", "right"),
    "vllm_xargs": ({"a": 1}, {"a": 2}),
    "guided_json_of_tomorrow": ("a", "b"),
}
"""Two values of each parameter that mean different things."""

TEXT_FORMS = FORMS | {"logprobs": (2, 3)}

NEEDS: dict[str, Body] = {
    "top_logprobs": {"logprobs": True},
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "min_tokens": {"max_tokens": 9},
}
"""What a parameter makes sense with alone."""

NEVER_TOGETHER = ({"max_completion_tokens", "max_tokens"}, {"response_format", "structured_outputs"})

WHO_AND_HOW: dict[str, tuple[Any, Any]] = {
    "cache": ({"ttl": 5}, {"s-maxage": 60}),
    "metadata": ({"a": "1"}, {"a": "2"}),
    "model": ("demo", "demo"),
    "priority": (1, 2),
    "prompt_cache_key": ("a", "b"),
    "prompt_cache_options": ({"a": 1}, {"a": 2}),
    "prompt_cache_retention": ("24h", "1h"),
    "request_id": ("a", "b"),
    "safety_identifier": ("a", "b"),
    "service_tier": ("auto", "default"),
    "session_id": ("a", "b"),
    "store": (True, False),
    "stream": (True, False),
    "user": ("ann", "bob"),
}
"""Fields that say who asks, when, and how the answer travels."""

TRAITS = Traits(
    version="1",
    chat_defaults={"temperature": 0.8, "top_p": 1.0, "n": 1, "min_tokens": 0, "skip_special_tokens": True},
    text_defaults={"temperature": 0.8, "top_p": 1.0, "n": 1, "min_tokens": 0, "skip_special_tokens": True},
)
ALL = Caching(MemoryCache(lambda: 0.0, 0), {}, Policy("all"), Metrics())
HELLO: Body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
ONCE: Body = {"model": "demo", "prompt": "once"}


def name(body: Body, key: Key = LOCAL) -> str:
    ask = (chat if "messages" in body else completions).parse(body)
    question = ALL.question(ask.model, TRAITS, ask.prompt, key, PLAIN)
    assert isinstance(question, Question)
    return question.shared.key


def test_every_documented_parameter_is_here() -> None:
    # The one value that `modalities` takes says nothing.
    known = {*BOTH, *CHAT, *TEXT} - REFUSED.keys() - {"modalities"}
    assert known <= {*FORMS, *TEXT_FORMS, *WHO_AND_HOW}
    assert TRANSPORT <= WHO_AND_HOW.keys() | {"stream_options"}


@pytest.mark.parametrize("base", [HELLO, ONCE])
def test_what_is_for_a_service_elsewhere_is_kept_apart(base: Body) -> None:
    body = base | {field: first for field, (first, _) in WHO_AND_HOW.items()}
    prompt = (chat if "messages" in body else completions).parse(body).prompt
    assert prompt.passing == {field: body[field] for field in PASSING}
    assert not PASSING & prompt.parameters.keys()
    other = (chat if "messages" in body else completions).parse(body | {"user": "bob"}).prompt
    assert digest("openai", "demo", prompt) == digest("openai", "demo", other)


def taken(base: Body) -> list[str]:
    other = TEXT if "messages" in base else CHAT
    own = CHAT if "messages" in base else TEXT
    return [each for each in FORMS if each in BOTH or each in own or each not in other]


@some.composite
def bodies(draw: some.DrawFn, base: Body) -> Body:
    """A body with some parameters, none of which forbids another."""
    forms = FORMS if "messages" in base else TEXT_FORMS
    body = dict(base)
    for each in draw(some.sets(some.sampled_from(taken(base)), max_size=6)):
        clashes = any({each, *body} >= pair for pair in NEVER_TOGETHER)
        if not clashes and each not in ("continue_final_message", "min_tokens"):
            said = [value for value in forms[each] if value is not None]
            body |= {**NEEDS.get(each, {}), each: draw(some.sampled_from(said))}
    if "max_completion_tokens" in body:
        body.pop("max_tokens", None)
    return body


@pytest.mark.parametrize(
    ("base", "parameter"),
    [
        pytest.param(base, parameter, id=f"{kind}-{parameter}")
        for kind, base in (("chat", HELLO), ("text", ONCE))
        for parameter in taken(base)
    ],
)
def test_a_parameter_that_matters_splits_the_name(base: Body, parameter: str) -> None:
    one, other = (FORMS if "messages" in base else TEXT_FORMS)[parameter]
    with_it = dict(base) | NEEDS.get(parameter, {})
    if parameter == "continue_final_message":
        with_it["add_generation_prompt"] = False
    names = {name({**with_it, parameter: one}), name({**with_it, parameter: other})}
    assert len(names) == 2


@given(some.data(), some.sampled_from([HELLO, ONCE]))
def test_a_parameter_that_matters_splits_the_name_whatever_stands_beside_it(data: some.DataObject, base: Body) -> None:
    body = data.draw(bodies(base))
    forms = FORMS if "messages" in base else TEXT_FORMS
    given = [each for each in body if each in forms and len({repr(value) for value in forms[each]}) == 2]
    if not given:
        return
    parameter = data.draw(some.sampled_from(given))
    values = forms[parameter]
    other = values[1] if body[parameter] == values[0] else values[0]
    if parameter in ("tools", "logprobs") or parameter in (_ for need in NEEDS.values() for _ in need):
        return
    assert name(body) != name({**body, parameter: other})


@given(some.data(), some.sampled_from([HELLO, ONCE]))
def test_who_asks_and_how_it_travels_never_splits_it(data: some.DataObject, base: Body) -> None:
    body = data.draw(bodies(base))
    for field in data.draw(some.sets(some.sampled_from(sorted(WHO_AND_HOW)), min_size=1)):
        body_with = {**body, field: data.draw(some.sampled_from(WHO_AND_HOW[field]))}
        assert name(body_with) == name(body), field


@given(some.data(), some.sampled_from([HELLO, ONCE]))
def test_order_and_defaults_spelled_out_never_split_it(data: some.DataObject, base: Body) -> None:
    body = data.draw(bodies(base))
    spelled = {**TRAITS.chat_defaults, **body}
    if "min_tokens" in spelled and "max_tokens" in spelled and spelled["min_tokens"] > spelled["max_tokens"]:
        del spelled["min_tokens"]
    again = {field: spelled[field] for field in reversed(list(spelled))}
    assert name(again) == name(body)


def test_the_mistakes_of_others_are_not_made_here() -> None:
    """LiteLLM 1.109 gives these each other's answers."""
    for parameter in ("min_p", "structured_outputs", "chat_template_kwargs", "repetition_penalty"):
        one, other = FORMS[parameter]
        assert len({name({**HELLO, parameter: one}), name({**HELLO, parameter: other}), name(HELLO)}) == 3
    bob = Key(id="key_bob", name="bob", namespace="bob")
    assert name(HELLO, bob) != name(HELLO)


def test_streamed_and_plain_and_every_dialect_that_says_the_same_have_one_name() -> None:
    same = [
        HELLO,
        {**HELLO, "stream": True, "stream_options": {"include_usage": True}},
        {**HELLO, "stop": [], "tools": [], "logit_bias": {}, "n": 1},
        {**HELLO, "response_format": {"type": "text"}, "top_p": 1},
    ]
    assert len({name(body) for body in same}) == 1
    assert name(ONCE) == name({**ONCE, "prompt": ["once"], "max_tokens": 16})


@pytest.mark.parametrize(
    ("sharing", "own", "parameters", "why"),
    [
        ("deterministic", None, {}, "not-deterministic"),
        ("deterministic", None, {"temperature": 0}, None),
        ("deterministic", None, {"seed": 0}, None),
        ("all", None, {}, None),
        ("off", None, {"temperature": 0}, "off"),
        ("off", "all", {"temperature": 0}, "off"),
        ("all", "off", {"temperature": 0}, "off"),
        ("all", "deterministic", {}, "not-deterministic"),
        ("deterministic", "all", {}, None),
    ],
)
def test_what_is_shared_is_said_by_the_model_and_by_the_key(
    sharing: Any, own: Any, parameters: Body, why: str | None
) -> None:
    caching = Caching(MemoryCache(lambda: 0.0, 0), {"demo": Policy(sharing)}, Policy(), Metrics())
    key = Key(id="key_ann", name="ann", namespace="ann", cache=own)
    asked = caching.question("demo", TRAITS, chat.parse({**HELLO, **parameters}).prompt, key, PLAIN)
    assert (asked.why if isinstance(asked, Bypass) else None) == why


def test_a_call_may_opt_in_and_out_for_itself() -> None:
    prompt = chat.parse(HELLO).prompt
    caching = Caching(MemoryCache(lambda: 0.0, 0), {}, Policy(), Metrics())
    assert isinstance(caching.question("demo", TRAITS, prompt, LOCAL, PLAIN._replace(use=True)), Question)
    out = caching.question("demo", TRAITS, prompt, LOCAL, PLAIN._replace(use=True, no_store=True))
    assert out == Bypass("no-store")


def test_a_model_whose_own_default_is_greedy_is_deterministic() -> None:
    traits = Traits(version="1", chat_defaults={"temperature": 0.0})
    caching = Caching(MemoryCache(lambda: 0.0, 0), {}, Policy(), Metrics())
    assert isinstance(caching.question("demo", traits, chat.parse(HELLO).prompt, LOCAL, PLAIN), Question)


def test_before_its_model_said_what_it_is_an_ask_has_a_name_of_this_process_alone() -> None:
    prompt = chat.parse({**HELLO, "temperature": 0}).prompt
    names = set()
    for _ in range(2):
        caching = Caching(MemoryCache(lambda: 0.0, 0), {}, Policy(), Metrics())
        for _ in range(2):
            asked = caching.question("demo", Traits(), prompt, LOCAL, PLAIN)
            assert isinstance(asked, Question) and asked.shared.ttl_s == 60
            names.add(asked.shared.key)
    assert len(names) == 2

"""What a language model publishes as its inputs, and the prompt that they make."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from replicate.run import _has_output_iterator_array_type
from replicate.version import Version

from engines.base import Prompt, Traits
from engines.replicate import schema as hosted
from gateway.errors import HearthError
from gateway.wire.replicate import inputs, objects
from gateway.wire.replicate.language import DEFAULT_TOKENS, prompt, schema

CHAT = Traits(context_length=4096)
TEXT = Traits(context_length=4096, chat=False)
HELLO = ({"role": "user", "content": "hello"},)


def properties(traits: Traits) -> dict[str, Any]:
    told: dict[str, Any] = schema(traits)["components"]["schemas"]["Input"]["properties"]
    return told


def asked(input: dict[str, Any], traits: Traits = CHAT) -> Prompt:
    """The prompt that comes of an input, as a server makes it."""
    return prompt(inputs.check(input, schema(traits)), traits)


def refused(input: dict[str, Any], traits: Traits = CHAT) -> HearthError:
    with pytest.raises(HearthError) as caught:
        asked(input, traits)
    assert caught.value.code == "invalid_inputs"
    return caught.value


# What is published


@pytest.mark.parametrize("traits", [CHAT, TEXT])
def test_the_schema_is_one_that_the_clients_can_stream_by(traits: Traits) -> None:
    document = schema(traits)
    Draft202012Validator.check_schema(document["components"]["schemas"]["Input"])
    assert _has_output_iterator_array_type(Version(**objects.version("a" * 64, 5.5, document)))
    read = hosted.read(document)
    assert read.speaks and read.chats == traits.chat
    assert read.input("max_tokens") == "max_tokens" and read.is_list("stop")


def test_a_model_of_texts_has_no_inputs_for_a_chat_and_needs_its_prompt() -> None:
    assert not {"messages", "system_prompt"} & properties(TEXT).keys()
    assert schema(TEXT)["components"]["schemas"]["Input"]["required"] == ["prompt"]
    assert {"messages", "system_prompt"} < properties(CHAT).keys()


def test_only_what_the_engine_takes_is_published() -> None:
    taken = properties(Traits(parameters=frozenset({"max_tokens", "temperature"})))
    assert taken.keys() == {
        *("prompt", "system_prompt", "messages", "prompt_template"),
        *("max_tokens", "max_new_tokens", "temperature"),
    }


def test_defaults_are_what_is_put_or_are_not_there() -> None:
    traits = Traits(chat_defaults={"temperature": 0.7, "top_k": 0, "n": 1}, text_defaults={"temperature": 0.1})
    defaults = {name: each["default"] for name, each in properties(traits).items() if "default" in each}
    assert defaults == {"temperature": 0.7, "top_k": 0}
    assert properties(TEXT)["max_tokens"]["default"] == asked({"prompt": "a"}, TEXT).parameters["max_tokens"]


# What is asked


def test_a_prompt_is_a_chat_where_the_model_answers_chats() -> None:
    assert asked({"prompt": "hello"}) == Prompt(messages=HELLO)
    told = asked({"prompt": "hello", "system_prompt": "be kind"})
    assert told == Prompt(messages=({"role": "system", "content": "be kind"}, *HELLO))


def test_messages_come_before_a_prompt() -> None:
    assert asked({"messages": [*HELLO]}) == Prompt(messages=HELLO)
    assert asked({"messages": [*HELLO], "prompt": "no", "system_prompt": "no"}) == Prompt(messages=HELLO)


def test_a_template_is_what_the_model_reads_and_nothing_is_put_in_twice() -> None:
    input = {"prompt": "{system_prompt}", "system_prompt": "S", "prompt_template": "<{system_prompt}>{prompt}{x}{{"}
    assert asked(input).texts == ("<S>{system_prompt}{x}{{",)
    assert asked({"prompt": "P", "prompt_template": "{prompt}:{system_prompt}:"}, TEXT).texts == ("P::",)


def test_a_raw_text_has_a_longest_answer() -> None:
    assert asked({"prompt": "a"}, TEXT) == Prompt(texts=("a",), parameters={"max_tokens": DEFAULT_TOKENS})
    assert asked({"prompt": "a"}, Traits(chat=False, context_length=100)).parameters == {"max_tokens": 50}
    assert asked({"prompt": "a", "max_tokens": 3}, TEXT).parameters == {"max_tokens": 3}
    assert asked({"prompt": "a", "min_tokens": 600}, TEXT).parameters == {"min_tokens": 600, "max_tokens": 600}
    assert asked({"prompt": "a"}, Traits(chat=False, parameters=frozenset())).parameters == {}


@pytest.mark.parametrize(
    ("input", "parameters"),
    [
        ({"max_new_tokens": 7}, {"max_tokens": 7}),
        ({"max_new_tokens": 7, "max_tokens": 5}, {"max_tokens": 5}),
        ({"stop_sequences": "<end>,<stop>"}, {"stop": ["<end>", "<stop>"]}),
        ({"stop_sequences": ["a,b"]}, {"stop": ["a,b"]}),
        ({"stop_sequences": ""}, {}),
        ({"stop": ["x"]}, {"stop": ["x"]}),
        ({"temperature": 0, "top_k": 50, "seed": 3}, {"temperature": 0.0, "top_k": 50, "seed": 3}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"top_p": 0}, {"temperature": 0.0}),
        ({"presence_penalty": 1, "frequency_penalty": -1}, {"presence_penalty": 1.0, "frequency_penalty": -1.0}),
        ({"top_logprobs": 5, "tools": []}, {}),
    ],
)
def test_parameters_have_the_names_that_engines_know(input: dict[str, Any], parameters: dict[str, Any]) -> None:
    assert asked({"prompt": "a", **input}).parameters == parameters


@pytest.mark.parametrize("name", ["max_tokens", "max_new_tokens", "min_tokens", "top_k", "seed"])
def test_a_whole_number_may_be_written_with_a_point(name: str) -> None:
    [(_, value)] = asked({"prompt": "x", name: 5.0}).parameters.items()
    assert (value, type(value)) == (5, int)
    assert refused({"prompt": "x", name: 5.5}).details["invalid_fields"][0]["field"] == f"input.{name}"
    assert refused({"prompt": "x", name: 1e300}).details["invalid_fields"][0]["field"].startswith("input")


@pytest.mark.parametrize("input", [{}, {"system_prompt": "S"}, {"messages": []}, {"prompt_template": "x"}])
def test_without_anything_to_answer_the_prompt_is_missing(input: dict[str, Any]) -> None:
    assert refused(input).message == "- input: prompt is required\n"
    assert refused({}, TEXT).message == "- input: prompt is required\n"


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"temperature": "hot"}, "input.temperature"),
        ({"temperature": 9}, "input.temperature"),
        ({"max_tokens": 0}, "input.max_tokens"),
        ({"min_tokens": 9, "max_tokens": 5}, "input.min_tokens"),
        ({"stop_sequences": 5}, "input.stop_sequences"),
        ({"stop": ["x"] * 100}, "input.stop"),
        ({"messages": [{"role": "nobody", "content": "a"}]}, "input.messages.0.role"),
        ({"messages": ["a"]}, "input.messages.0"),
    ],
)
def test_what_does_not_fit_is_named(input: dict[str, Any], field: str) -> None:
    assert [each["field"] for each in refused({"prompt": "a", **input}).details["invalid_fields"]] == [field]

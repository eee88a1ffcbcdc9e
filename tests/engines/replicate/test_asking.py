"""Prompts as inputs of models on Replicate."""

from __future__ import annotations

from typing import Any

import pytest

from engines.base import JSON, Prompt
from engines.errors import EngineError
from engines.replicate.asking import ask, least, longest
from engines.replicate.schema import Schema, read
from tests.engines.asking import chat
from tests.engines.replicate.published import CHAT, EYES, LLAMA, MODELS, WHOLE

SCHEMAS = {model.name: read(model.schema) for model in MODELS}
TALK = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Hi!"},
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Who"}, {"type": "text", "text": "are you?"}]},
)
TRANSCRIPT = "User: Hello.\n\nAssistant: Hi!\n\nUser: Who\nare you?\n\nAssistant:"


def schema(**inputs: dict[str, Any]) -> Schema:
    return Schema({"prompt": {"type": "string"}, **inputs}, frozenset(), speaks=True)


def refused(prompt: Prompt, model: Schema) -> EngineError:
    with pytest.raises(EngineError) as caught:
        ask(prompt, 0, model)
    assert caught.value.code == "invalid_request"
    return caught.value


def test_a_single_message_is_the_prompt_as_it_stands() -> None:
    assert ask(chat("A fox, \n please."), 0, SCHEMAS[LLAMA]) == {"prompt": "A fox, \n please."}


def test_a_talk_is_a_transcript_and_the_system_has_its_own_input() -> None:
    asked = ask(Prompt(messages=TALK), 0, SCHEMAS[LLAMA])
    assert asked == {"prompt": TRANSCRIPT, "system_prompt": "Be brief.\n\nBe kind."}


def test_the_system_stands_above_all_where_it_has_no_input() -> None:
    assert ask(Prompt(messages=TALK), 0, schema()) == {"prompt": f"Be brief.\n\nBe kind.\n\n{TRANSCRIPT}"}
    assert ask(chat("A fox."), 0, schema()) == {"prompt": "A fox."}


def test_a_model_that_takes_chats_is_given_the_chat() -> None:
    assert ask(Prompt(messages=TALK), 0, SCHEMAS[CHAT]) == {"messages": list(TALK)}
    as_text = ask(chat("A fox."), 0, schema(messages={"type": "string"}))
    assert as_text == {"messages": '[{"role":"user","content":"A fox."}]'}


def test_a_model_that_needs_a_prompt_is_given_one() -> None:
    strict = Schema(SCHEMAS[CHAT].inputs, frozenset({"prompt"}), speaks=True)
    assert ask(Prompt(messages=TALK), 0, strict)["prompt"] == TRANSCRIPT


def test_each_text_is_a_prompt() -> None:
    prompt = Prompt(texts=("one", "two"), parameters={"n": 2})
    assert [ask(prompt, choice, SCHEMAS[LLAMA])["prompt"] for choice in range(4)] == ["one", "one", "two", "two"]
    only_chats = Schema({"messages": {"type": "array"}}, frozenset(), speaks=True)
    assert ask(Prompt(texts=("one",)), 0, only_chats) == {"messages": [{"role": "user", "content": "one"}]}


@pytest.mark.parametrize(
    ("model", "sent", "asked"),
    [
        (LLAMA, {"max_tokens": 5, "top_k": 3}, {"max_tokens": 5, "top_k": 3}),
        (CHAT, {"max_tokens": 5}, {"max_completion_tokens": 5}),
        (WHOLE, {"max_tokens": 5}, {"max_new_tokens": 5}),
        (LLAMA, {"prompt_template": "{prompt}"}, {"prompt_template": "{prompt}"}),
        (LLAMA, {"stop": ["END", "\n"]}, {"stop_sequences": "<|end_of_text|>,<|eot_id|>,END,\n"}),
        (LLAMA, {"n": 1}, {}),
    ],
)
def test_a_parameter_goes_into_the_input_that_means_it(model: str, sent: dict[str, JSON], asked: JSON) -> None:
    given = ask(chat("A fox.", **sent), 0, SCHEMAS[model])
    assert {name: value for name, value in given.items() if name not in ("prompt", "messages")} == asked


def test_stop_strings_are_a_list_where_the_model_takes_one() -> None:
    assert ask(chat("x", stop=["a,b", "c"]), 0, schema(stop={"type": "array"}))["stop"] == ["a,b", "c"]


@pytest.mark.parametrize(
    ("prompt", "parameter"),
    [
        (chat("x", logprobs=True), "logprobs"),
        (chat("x", system_prompt="Be rude."), "system_prompt"),
        (chat("x", stop=["a,b"]), "stop"),
        (Prompt(texts=((1, 2),)), "prompt"),
        (Prompt(messages=({"role": "tool", "content": "12", "tool_call_id": "1"},)), "messages.0"),
        (chat([{"type": "input_audio", "input_audio": {}}]), "messages.0"),  # type: ignore[arg-type]
        (chat([{"type": "image_url", "image_url": {"url": "data:,"}}]), "messages"),  # type: ignore[arg-type]
    ],
)
def test_what_the_model_does_not_take_is_refused_by_its_name(prompt: Prompt, parameter: str) -> None:
    assert refused(prompt, SCHEMAS[LLAMA]).parameter == parameter


def test_pictures_go_where_the_model_looks_for_them() -> None:
    one = {"type": "image_url", "image_url": {"url": "https://example.com/1.png"}}
    seen = Prompt(messages=({"role": "user", "content": [{"type": "text", "text": "What is this?"}, one]},))
    assert ask(seen, 0, SCHEMAS[EYES]) == {"prompt": "What is this?", "image": "https://example.com/1.png"}
    assert ask(seen, 0, schema(images={"type": "array"}))["images"] == ["https://example.com/1.png"]
    two = Prompt(messages=({"role": "user", "content": [one, one]},))
    assert refused(two, SCHEMAS[EYES]).parameter == "messages"


def test_the_smallest_prediction_has_one_token_or_as_many_as_there_must_be() -> None:
    assert least(SCHEMAS[LLAMA]) == {"prompt": "Hi", "max_tokens": 1}
    assert least(schema(max_tokens={"minimum": 16})) == {"prompt": "Hi", "max_tokens": 16}
    assert least(schema()) == {"prompt": "Hi"}


def test_how_long_an_answer_may_be_is_what_was_asked_or_what_the_model_puts() -> None:
    assert longest({"max_tokens": 5}, SCHEMAS[LLAMA]) == 5
    assert longest({}, SCHEMAS[LLAMA]) == 32
    assert longest({}, SCHEMAS[WHOLE]) is None


def test_a_schema_tells_what_callers_may_send_and_what_stands_without_it() -> None:
    llama = SCHEMAS[LLAMA]
    assert {"n", "max_tokens", "stop", "stop_sequences", "prompt_template"} <= llama.parameters
    assert not {"prompt", "system_prompt", "logprobs"} & llama.parameters
    assert llama.defaults["temperature"] == 0.6
    assert "stop" not in llama.defaults
    assert (llama.parameter("stop_sequences"), llama.parameter("top_k")) == ("stop", "top_k")
    assert [SCHEMAS[model.name].speaks for model in MODELS] == [model.streams for model in MODELS]


@pytest.mark.parametrize("document", [{}, {"components": None}, {"components": {"schemas": {"Input": {"image": 1}}}}])
def test_a_model_that_takes_no_words_is_none_to_be_served(document: dict[str, Any]) -> None:
    with pytest.raises(EngineError) as caught:
        read(document)
    assert caught.value.code == "bad_model_source"

"""Everything in an OpenAI body that can change the answer: OpenAI's names, and vLLM's for what it adds.

A name that is not in the tables is passed on as it is; the engine says whether it takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.base import JSON
from gateway.errors import HearthError
from gateway.wire.ask import TRANSPORT
from gateway.wire.check import (
    Rule,
    anything,
    boolean,
    bounded,
    integer,
    mapping,
    number,
    one_of,
    refuse,
    several,
    string,
    text,
)
from gateway.wire.shapes import bias, response_format, stops, structured_outputs, tool_choice, tools

MOST_ANSWERS: Final = 128
"""Of one text or chat (`n`)."""

_TOKEN: Final = integer(0)
_MOST_TOKENS: Final = 16_384
_TOKENS: Final = several(_TOKEN, "token ids", most=_MOST_TOKENS)
_MOST_WORDS: Final = 1024
_CONSTRAINT_BYTES: Final = 32 << 10
"""What engines compile into a grammar. A large one keeps a core busy for minutes, and everybody who asks for another
waits behind it."""
_TOOLS_BYTES: Final = 256 << 10

BOTH: Final[Mapping[str, Rule]] = {
    "add_special_tokens": boolean,
    "allowed_token_ids": several(_TOKEN, "token ids", least=1, most=_MOST_TOKENS),
    "bad_words": several(text, "strings", most=_MOST_WORDS),
    "cache_salt": text,
    "frequency_penalty": number(-2, 2),
    "ignore_eos": boolean,
    "include_stop_str_in_output": boolean,
    "length_penalty": number(),
    "logit_bias": bias,
    "max_completion_tokens": integer(1),
    "max_tokens": integer(1),
    "min_p": number(0, 1),
    "min_tokens": integer(0),
    "n": integer(1, MOST_ANSWERS),
    "presence_penalty": number(-2, 2),
    "priority": integer(),
    "repetition_penalty": number(0, above=True),
    "response_format": bounded(response_format, _CONSTRAINT_BYTES),
    "return_token_ids": boolean,
    "return_tokens_as_token_ids": boolean,
    "seed": integer(),
    "skip_special_tokens": boolean,
    "spaces_between_special_tokens": boolean,
    "stop": stops,
    "stop_token_ids": _TOKENS,
    "structured_outputs": bounded(structured_outputs, _CONSTRAINT_BYTES),
    "temperature": number(0, 2),
    "thinking_token_budget": integer(-1),
    "top_k": integer(-1),
    "top_p": number(0, 1, above=True),
    "truncate_prompt_tokens": integer(-1),
    "truncation_side": one_of("left", "right"),
    "vllm_xargs": mapping,
}

CHAT: Final[Mapping[str, Rule]] = {
    "add_generation_prompt": boolean,
    "chat_template": string,
    "chat_template_kwargs": mapping,
    "continue_final_message": boolean,
    "documents": several(mapping, "objects"),
    "echo": boolean,
    "include_reasoning": boolean,
    "logprobs": boolean,
    "mm_processor_kwargs": mapping,
    "modalities": several(one_of("text"), "modalities"),
    "parallel_tool_calls": boolean,
    "reasoning_effort": one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "tool_choice": tool_choice,
    "tools": bounded(tools, _TOOLS_BYTES),
    "top_logprobs": integer(0, 20),
}

TEXT: Final[Mapping[str, Rule]] = {
    "best_of": anything,
    "echo": boolean,
    "logprobs": integer(0, 20),
    "suffix": string,
}

REFUSED: Final[Mapping[str, str]] = {
    "audio": "Answers are text; leave it out.",
    "best_of": "Ask for `n` answers and choose among them.",
    "function_call": "Use `tool_choice`.",
    "functions": "Use `tools`.",
    "guided_choice": "Use `structured_outputs.choice`.",
    "guided_grammar": "Use `structured_outputs.grammar`.",
    "guided_json": "Use `structured_outputs.json`.",
    "guided_regex": "Use `structured_outputs.regex`.",
    "prompt_embeds": "Send the prompt as text or token ids.",
    "prompt_logprobs": "The prompt's own log probabilities are not given.",
    "return_prompt_text": "The prompt is not told back.",
    "return_token_ids": "Tokens are told as text; ask for `logprobs` to have them one by one.",
    "return_tokens_as_token_ids": "Tokens are told as text.",
    "suffix": "Put what surrounds the gap into `prompt`, in the model's own form.",
    "use_beam_search": "Ask for `n` sampled answers.",
    "web_search_options": "Nothing is searched; leave it out.",
}
"""Fields that nothing here answers to, and what to send instead."""

_SAYS_NOTHING: Final[Mapping[str, JSON]] = {
    "bad_words": [],
    "best_of": 1,
    "echo": False,
    "functions": [],
    "logit_bias": {},
    "logprobs": False,
    "modalities": ["text"],
    "response_format": {"type": "text"},
    "return_prompt_text": False,
    "return_token_ids": False,
    "return_tokens_as_token_ids": False,
    "stop": [],
    "stop_token_ids": [],
    "suffix": "",
    "tools": [],
    "top_logprobs": 0,
    "use_beam_search": False,
}
"""Values that mean the same as leaving the field out. Clients send them by habit, whatever the engine takes."""


def read(body: dict[str, JSON], *, chat: bool) -> dict[str, JSON]:
    """The parameters of a body, checked and in canonical form.

    Nulls and values that say nothing are dropped. Raises HearthError `invalid_request`, naming the field.
    """
    own, other = (CHAT, TEXT) if chat else (TEXT, CHAT)
    read: dict[str, JSON] = {}
    for name, value in body.items():
        if value is None or name in TRANSPORT or name in ("messages", "prompt"):
            continue
        rule = BOTH.get(name) or own.get(name)
        if rule is None and name in other:
            raise _misplaced(name, chat)
        if rule is not None:
            value = rule(name, value)
        if name in _SAYS_NOTHING and _same(value, _SAYS_NOTHING[name]):
            continue
        if name in REFUSED:
            raise refuse(name, f"`{name}` is not taken. {REFUSED[name]}")
        read[name] = value
    _agree(read, chat)
    return read


def _agree(read: dict[str, JSON], chat: bool) -> None:
    """What several fields must say together."""
    longest = read.pop("max_completion_tokens", None)
    if longest is not None:
        read["max_tokens"] = longest
    if "min_tokens" in read and "max_tokens" in read and read["min_tokens"] > read["max_tokens"]:
        raise refuse("min_tokens", "`min_tokens` must not be greater than `max_tokens`.")
    if "top_logprobs" in read and "logprobs" not in read:
        raise refuse("top_logprobs", "`top_logprobs` needs `logprobs: true`.")
    if "response_format" in read and "structured_outputs" in read:
        raise refuse("structured_outputs", "Send `response_format` or `structured_outputs`, not both.")
    if read.get("continue_final_message") and read.get("add_generation_prompt"):
        raise refuse("continue_final_message", "Send `add_generation_prompt: false` with `continue_final_message`.")
    _agree_on_tools(read)


def _agree_on_tools(read: dict[str, JSON]) -> None:
    choice = read.get("tool_choice")
    if "tools" not in read:
        read.pop("parallel_tool_calls", None)
        if choice in ("none", "auto"):
            del read["tool_choice"]
        elif choice is not None:
            raise refuse("tool_choice", "`tool_choice` needs `tools` to choose from.")
        return
    if choice == "auto":
        del read["tool_choice"]
    if isinstance(choice, dict):
        named = choice["function"]["name"]
        if all(tool["function"]["name"] != named for tool in read["tools"]):
            raise refuse("tool_choice", f"`tool_choice` names {named!r}, which is not among `tools`.")


def _misplaced(name: str, chat: bool) -> HearthError:
    return refuse(name, f"`{name}` is for {'/v1/completions' if chat else '/v1/chat/completions'}; leave it out here.")


def _same(value: JSON, other: JSON) -> bool:
    # A plain == would take 0 for False: `logprobs: 0` on a completion asks for something, `logprobs: false` does not.
    return type(value) is type(other) and value == other

"""OpenAI's embeddings: the body, and the answer."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from engines.base import JSON, Embeddings, Prompt
from gateway.wire import ask, texts
from gateway.wire.ask import TRANSPORT
from gateway.wire.check import Rule, boolean, integer, one_of, refuse, shallow, text

MOST_INPUTS: Final = 2048
"""Texts of one call, as OpenAI has it."""

_PARAMETERS: Final[Mapping[str, Rule]] = {
    "add_special_tokens": boolean,
    "cache_salt": text,
    "dimensions": integer(1),
    "priority": integer(),
    "truncate_prompt_tokens": integer(-1),
    "truncation_side": one_of("left", "right"),
    "use_activation": boolean,
}
_FORMAT: Final = one_of("float", "base64")


class EmbeddingAsk(NamedTuple):
    """One call: the texts, and whether their vectors are spelled in base64."""

    model: str
    prompt: Prompt
    base64: bool = False


def parse(body: dict[str, JSON]) -> EmbeddingAsk:
    """The ask in an embeddings body. Raises HearthError `invalid_request`, naming the field."""
    shallow(body)
    model = ask.model(body)
    read = texts.read("input", body.get("input"))
    if len(read) > MOST_INPUTS:
        raise refuse("input", f"`input` may hold at most {MOST_INPUTS} texts, not {len(read)}.")
    form = body.get("encoding_format")
    parameters = {}
    for name, value in body.items():
        if value is None or name in TRANSPORT or name in ("input", "encoding_format"):
            continue
        rule = _PARAMETERS.get(name)
        # A name that is not in the table is passed on as it is; the engine says whether it takes it.
        parameters[name] = value if rule is None else rule(name, value)
    in_base64 = form is not None and _FORMAT("encoding_format", form) == "base64"
    prompt = Prompt(texts=read, parameters=parameters, passing=ask.passing(body))
    return EmbeddingAsk(model, prompt, in_base64)


def pieces(asked: EmbeddingAsk, made: Embeddings) -> Iterator[bytes]:
    """The answer in order, one piece for each vector: together they may be many megabytes."""
    yield b'{"object":"list","data":['
    for index, vector in enumerate(made.vectors):
        spelled: Any = base64.b64encode(vector).decode() if asked.base64 else _numbers(vector)
        entry = {"object": "embedding", "index": index, "embedding": spelled}
        yield (b"," if index else b"") + orjson.dumps(entry)
    usage = {"prompt_tokens": made.prompt_tokens, "total_tokens": made.prompt_tokens}
    yield b'],"model":' + orjson.dumps(asked.model) + b',"usage":' + orjson.dumps(usage) + b"}"


def _numbers(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)

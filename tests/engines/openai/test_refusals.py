"""What servers say when they refuse, and what a caller is told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from engines.errors import EngineError
from engines.openai.refusals import broken_off, refusal

NOW = 1_800_000_000.0

VLLM_LONG = "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049."
VLLM_WANTED = "max_tokens=100000 cannot be greater than max_model_len=2048. Please request fewer output tokens."
LLAMA_LONG = "the request exceeds the available context size. try increasing it"
TGI_LONG = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096: `inputs` must have less than 1024"
)


def refused(status: int, body: Any, headers: dict[str, str] | None = None) -> EngineError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal(status, headers or {}, data, host="there:80", now=NOW, too_long="messages")


@pytest.mark.parametrize(
    ("status", "body", "code", "parameter"),
    [
        (400, {"error": {"message": "no", "param": "body.temperature"}}, "invalid_request", "temperature"),
        (422, {"error": "bad stop", "error_type": "validation"}, "invalid_request", None),
        (400, {"object": "error", "message": "no such thing", "param": "top_k"}, "invalid_request", "top_k"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, "invalid_request", None),
        (400, {"error": {"message": VLLM_LONG, "param": "input_tokens"}}, "context_length_exceeded", "messages"),
        (400, {"error": {"message": "long", "code": "context_length_exceeded"}}, "context_length_exceeded", "messages"),
        (400, {"error": {"message": LLAMA_LONG}}, "context_length_exceeded", "messages"),
        (422, {"error": TGI_LONG, "error_type": "validation"}, "context_length_exceeded", "messages"),
        (413, b"Payload Too Large", "context_length_exceeded", "messages"),
        (400, {"error": {"message": VLLM_WANTED, "param": "max_tokens"}}, "invalid_request", "max_tokens"),
        (404, {"error": {"message": "The model `x` does not exist."}}, "engine_failed", None),
        (500, b"<html>oops</html>", "engine_failed", None),
        (402, {"error": {"message": "Insufficient credits"}}, "upstream_budget", None),
        (429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, "upstream_budget", None),
        (429, {"error": {"message": "Slow down"}}, "engine_busy", None),
        (502, b"", "engine_unreachable", None),
        (503, {"error": {"message": "Loading model"}}, "engine_busy", None),
        (307, b"", "engine_failed", None),
    ],
)
def test_a_refusal_is_told_by_its_meaning(status: int, body: Any, code: str, parameter: str | None) -> None:
    error = refused(status, body)
    assert (error.code, error.parameter) == (code, parameter)
    assert error.message


def test_what_the_server_says_is_told() -> None:
    assert "cannot be greater than" in refused(400, {"error": {"message": VLLM_WANTED, "param": "max_tokens"}}).message
    assert "does not exist" in refused(404, {"error": {"message": "The model `x` does not exist."}}).message


def test_a_refused_key_is_told_without_a_word_of_the_server_about_it() -> None:
    error = refused(401, {"error": {"message": "Incorrect API key provided: sk-abcdef"}})
    assert error.code == "engine_failed"
    assert "there:80 refuses the key" in error.message
    assert "sk-" not in error.message


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        (format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True), 30.0),
        ("-3", 0.0),
        ("999999", 3600.0),
        ("soon", None),
        ("nan", None),
    ],
)
def test_when_to_come_back_is_told(told: str, seconds: float | None) -> None:
    error = refused(429, {"error": {"message": "slow down"}}, {"Retry-After": told})
    assert (error.code, error.retry_after_s) == ("engine_busy", seconds)


def test_a_long_message_is_cut() -> None:
    assert len(refused(400, {"error": {"message": "x" * 100_000}}).message) < 600


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "bad schema", "code": 400}, "invalid_request"),
        ({"message": "CUDA out of memory", "code": 500}, "engine_failed"),
        ("overloaded", "engine_failed"),
    ],
)
def test_an_error_amid_a_stream_is_told_by_its_meaning(error: Any, code: str) -> None:
    assert broken_off(error, "there:80").code == code

"""Errors as Replicate's clients read them."""

from __future__ import annotations

import httpx
import pytest
from replicate.exceptions import ReplicateError

from gateway.errors import TABLE, HearthError
from gateway.wire.replicate import problem


@pytest.mark.parametrize("code", TABLE)
def test_every_error_is_an_object_that_the_client_reads(code: str) -> None:
    told = problem.body(HearthError(code))
    read = ReplicateError.from_response(httpx.Response(told["status"], json=told))
    assert (read.status, read.detail) == (TABLE[code].status, TABLE[code].sentence)
    assert read.title and all(isinstance(text, str) for text in (told["title"], told["detail"]))


@pytest.mark.parametrize(
    ("code", "status", "title"),
    [
        ("unauthorized", 401, "Unauthenticated"),
        ("budget_exceeded", 402, "Insufficient credit"),
        ("unknown_prediction", 404, "Not Found"),
        ("unknown_version", 422, "Invalid version or not permitted"),
        ("invalid_inputs", 422, "Input validation failed"),
        ("rate_limited", 429, "Too Many Requests"),
    ],
)
def test_titles_are_the_services_own(code: str, status: int, title: str) -> None:
    told = problem.body(HearthError(code, "Said."))
    assert told == {"title": title, "detail": "Said.", "status": status}


def test_what_a_machine_can_use_stands_beside() -> None:
    fields = [{"type": "required", "field": "input", "description": "prompt is required"}]
    error = HearthError("invalid_inputs", "- input: prompt is required\n", invalid_fields=fields)
    assert problem.body(error)["invalid_fields"] == fields
    told = problem.body(HearthError("rate_limited", retry_after_s=0.2, epoch="k", tail=5))
    assert told.keys() == {"title", "detail", "status", "retry_after"} and told["retry_after"] == 1

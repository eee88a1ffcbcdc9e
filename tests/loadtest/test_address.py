"""A load goes to this machine, and no other."""

from __future__ import annotations

import pytest

from loadtest.address import Address
from loadtest.plan import PlanError


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1:8000",
        "http://0.0.0.0:8000",
        "http://localhost.example.com",
        "http://127.0.0.1@10.0.0.1",
        "https://127.0.0.1",
        "127.0.0.1:8000",
        "",
    ],
)
def test_another_machine_is_refused(url: str) -> None:
    """Whatever it is called."""
    with pytest.raises(PlanError, match="not this machine"):
        Address.of(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000/v1"])
def test_this_machine_is_not(url: str) -> None:
    """By each of its names."""
    assert Address.of(url).port == 8000

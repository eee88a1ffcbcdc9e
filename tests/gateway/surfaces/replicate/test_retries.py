"""Which call is taken for a repeat of which."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from gateway.claims.base import Claim
from gateway.claims.memory import MemoryClaims
from gateway.keys import LOCAL
from gateway.surfaces.replicate.retries import Retries, name_of
from tests.turning import Turned

UNTOLD = (None, "", "0", "00", "-1", "many", "\u0661")
TOLD = ("1", "2", "05")


def call(count: str | None) -> Request:
    headers = [] if count is None else [(b"x-stainless-retry-count", count.encode("utf-8"))]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(("counts", "seconds"), [(UNTOLD, 5), (TOLD, 120)])
async def test_who_says_that_it_repeats_is_believed_for_longer(counts: tuple[str | None, ...], seconds: float) -> None:
    clock = Turned()
    retries = Retries(MemoryClaims(clock, 1000))
    for count in counts:
        await retries.left("k", "gen_a")
        clock.turn(seconds - 0.1)
        assert await retries.earlier(call(count), "k") == "gen_a"
        assert await retries.earlier(call(count), "k") is None
        await retries.left("k", "gen_a")
        clock.turn(seconds)
        assert await retries.earlier(call(count), "k") is None


async def test_of_two_who_left_the_later_one_is_remembered() -> None:
    retries = Retries(MemoryClaims(Turned(), 1000))
    await retries.left("k", "gen_a")
    await retries.left("k", "gen_b")
    assert await retries.earlier(call(None), "k") == "gen_b"


async def test_a_claim_of_another_kind_is_no_repeat() -> None:
    claims = MemoryClaims(Turned(), 1000)
    await claims.claim("k", Claim("gen_a", "digest"))
    assert await Retries(claims).earlier(call("1"), "k") is None
    assert await claims.peek("k") is not None


def test_a_call_has_one_name_under_every_prefix() -> None:
    names = {name_of(LOCAL, f"/replicate{prefix}/predictions", {"a": 1}) for prefix in ("", "/v1", "/v1/v1")}
    assert len(names) == 1
    assert name_of(LOCAL, "/replicate/v1/models/a/b/predictions", {"a": 1}) not in names
    assert name_of(LOCAL, "/replicate/v1/predictions", {"a": 2}) not in names

"""What the limits let in, and what a caller is told."""

from __future__ import annotations

import pytest

from gateway.errors import HearthError
from gateway.limits.gate import KeyLimits, LimitGate
from gateway.limits.headers import duration
from gateway.limits.memory import MemoryLimiter
from tests.gateway.limits.asking import a_gate, a_generation, a_key, used, waiting
from tests.gateway.limits.contract import ANN, MODEL
from tests.turning import Turned


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def limiter(clock: Turned) -> MemoryLimiter:
    return MemoryLimiter(clock)


async def test_without_limits_nothing_is_counted_and_nothing_is_said(limiter: MemoryLimiter, clock: Turned) -> None:
    gate = LimitGate(limiter, KeyLimits(), {}, lambda model: None, clock, a_gate(limiter, clock)._metrics)
    assert await gate.enter(a_key(), "demo") == {}
    run = await gate.admit(a_generation(), a_key())
    assert run.headers == {} and await waiting(run) == []
    await run.close(used(20))
    assert not limiter._buckets and not limiter.held


async def test_a_call_is_told_what_is_left_of_the_tighter_limit(limiter: MemoryLimiter, clock: Turned) -> None:
    gate = a_gate(limiter, clock, requests_per_minute=100)
    assert await gate.enter(a_key(requests_per_minute=600), "demo") == {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-reset-requests": "600ms",
    }


async def test_one_call_too_many_is_told_which_limit_it_met_and_when_to_come_back(
    limiter: MemoryLimiter, clock: Turned
) -> None:
    gate, key = a_gate(limiter, clock, KeyLimits(requests_per_minute=2)), a_key()
    for _ in range(2):
        await gate.enter(key, "demo")
    with pytest.raises(HearthError) as refused:
        await gate.enter(key, "other")
    assert refused.value.code == "rate_limited" and refused.value.retry_after_s == 30
    assert refused.value.message == "This key's limit is 2 requests per minute: 0 requests left. Come back in 30s."
    assert refused.value.headers == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
    }
    clock.turn(30)
    await gate.enter(key, "demo")


async def test_a_keys_own_limit_counts_and_not_the_servers(limiter: MemoryLimiter, clock: Turned) -> None:
    gate, key = a_gate(limiter, clock, KeyLimits(requests_per_minute=1)), a_key(requests_per_minute=3)
    for _ in range(3):
        await gate.enter(key, "demo")
    with pytest.raises(HearthError):
        await gate.enter(key, "demo")


async def test_a_models_limit_is_for_all_keys(limiter: MemoryLimiter, clock: Turned) -> None:
    gate = a_gate(limiter, clock, requests_per_minute=2)
    for name in ("ann", "bob"):
        await gate.enter(a_key(name), "demo")
    with pytest.raises(HearthError, match="The limit of demo, for all keys together, is 2 requests per minute"):
        await gate.enter(a_key("cid"), "demo")


async def test_tokens_are_taken_before_and_settled_after(limiter: MemoryLimiter, clock: Turned) -> None:
    gate, key = a_gate(limiter, clock), a_key(tokens_per_minute=1000)
    run = await gate.admit(a_generation(max_tokens=500), key)
    assert run.headers["x-ratelimit-remaining-tokens"] == "490"
    with pytest.raises(HearthError, match=r"490 tokens left, and this request may take 510\. Come back in 2s\.$"):
        await gate.admit(a_generation(max_tokens=500), key)
    await run.close(used(100))
    run = await gate.admit(a_generation(max_tokens=500), key)
    assert run.headers["x-ratelimit-remaining-tokens"] == "390"
    await run.close(used(900))
    assert (await gate.admit(a_generation(max_tokens=0), a_key("bob"))).headers == {}
    with pytest.raises(HearthError, match="0 tokens left"):
        await gate.admit(a_generation(max_tokens=1), key)


async def test_an_answer_of_unknown_length_takes_a_modest_guess(limiter: MemoryLimiter, clock: Turned) -> None:
    run = await a_gate(limiter, clock).admit(a_generation(n=2), a_key(tokens_per_minute=1000))
    assert run.headers["x-ratelimit-remaining-tokens"] == str(1000 - 10 - 2 * 256)


@pytest.mark.parametrize(("context", "taken"), [(None, 1 << 20), (4096, 4096)])
async def test_whatever_length_is_asked_for_no_more_is_taken_than_an_answer_may_have(
    limiter: MemoryLimiter, clock: Turned, context: int | None, taken: int
) -> None:
    gate = a_gate(limiter, clock, context=context, tokens_per_minute=10**9)
    run = await gate.admit(a_generation(max_tokens=9 * 10**18, n=128), a_key())
    assert run.headers["x-ratelimit-remaining-tokens"] == str(10**9 - 10 - 128 * taken)
    await run.close(used(100))
    run = await gate.admit(a_generation(max_tokens=10), a_key())
    assert run.headers["x-ratelimit-remaining-tokens"] == str(10**9 - 100 - 20)


async def test_a_key_whose_slots_are_taken_is_refused_at_once(limiter: MemoryLimiter, clock: Turned) -> None:
    gate, key = a_gate(limiter, clock), a_key(concurrent=2, tokens_per_minute=10_000)
    runs = [await gate.admit(a_generation(max_tokens=90), key) for _ in range(2)]
    with pytest.raises(HearthError, match="may run 2 generations at once") as refused:
        await gate.admit(a_generation(max_tokens=90), key)
    assert refused.value.code == "rate_limited" and refused.value.retry_after_s
    await runs[0].close(used(100))
    run = await gate.admit(a_generation(max_tokens=90), key)
    assert run.headers["x-ratelimit-remaining-tokens"] == "9700"


async def test_a_full_queue_refuses_and_nothing_is_left_taken(limiter: MemoryLimiter, clock: Turned) -> None:
    gate = a_gate(limiter, clock, concurrent=1, max_queued=1)
    key = a_key(concurrent=5, tokens_per_minute=1000)
    runs = [await gate.admit(a_generation(max_tokens=90), key) for _ in range(2)]
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_generation(max_tokens=90), key)
    assert refused.value.code == "model_busy" and refused.value.retry_after_s == 5
    assert len(limiter.held[ANN]) == 2
    for run in runs:
        await run.close(used(100))
    assert not limiter.held
    run = await gate.admit(a_generation(max_tokens=90), key)
    assert run.headers["x-ratelimit-remaining-tokens"] == "700"


async def test_a_full_queue_says_how_fast_places_come_free(limiter: MemoryLimiter, clock: Turned) -> None:
    gate, key = a_gate(limiter, clock, concurrent=1, max_queued=1), a_key()
    runs = [await gate.admit(a_generation(), key) for _ in range(2)]
    for _ in range(5):
        clock.turn(12)
        await runs.pop(0).close(used(20))
        assert await waiting(runs[0]) == []
        runs.append(await gate.admit(a_generation(), key))
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_generation(), key)
    assert refused.value.retry_after_s == 12
    for run in runs:
        await run.close(used(20))
    clock.turn(3600)
    for _ in range(2):
        await gate.admit(a_generation(), key)
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_generation(), key)
    assert refused.value.retry_after_s == pytest.approx(12, rel=0.2)
    assert gate._queues["demo"]._serving <= {holder for held in limiter.held.values() for holder in held}


async def test_a_run_left_to_another_replica_keeps_its_books(limiter: MemoryLimiter, clock: Turned) -> None:
    gate, key = a_gate(limiter, clock, tokens_per_minute=1000, concurrent=1), a_key(concurrent=1)
    generation = a_generation(max_tokens=490)
    await (await gate.admit(generation, key)).close(None)
    run = await a_gate(limiter, clock, tokens_per_minute=1000, concurrent=1).inherit(generation)
    assert await waiting(run) == []
    await run.close(used(110))
    assert not limiter.held
    run = await gate.admit(a_generation(max_tokens=90), key)
    assert run.headers["x-ratelimit-remaining-tokens"] == "790"


async def test_an_inherited_run_whose_slot_is_lost_waits_and_is_never_refused(
    limiter: MemoryLimiter, clock: Turned
) -> None:
    gate = a_gate(limiter, clock, concurrent=1, max_queued=0)
    other = await gate.admit(a_generation(), a_key())
    run = await gate.inherit(a_generation())
    turn = run.turn()
    assert await anext(turn) == "you are next"
    await other.close(used(20))
    with pytest.raises(StopAsyncIteration):
        await anext(turn)
    assert len(limiter.held[MODEL]) == 1
    await run.close(used(20))
    assert not limiter.held


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0ms"), (0.0121, "13ms"), (0.9995, "1s"), (1, "1s"), (1.2, "2s"), (59.5, "1m0s"), (360, "6m0s")],
)
def test_durations_are_written_as_openai_does(seconds: float, written: str) -> None:
    assert duration(seconds) == written

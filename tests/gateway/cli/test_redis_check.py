"""What the doctor says of Redis."""

from __future__ import annotations

from gateway.cli.redis_check import redis
from gateway.settings import load
from tests.redis_cluster import cluster
from tests.redis_server import free_port, redis_process


def test_one_server_needs_none() -> None:
    assert redis(load({})).state == "ok"


def test_one_that_answers_is_named_without_its_password() -> None:
    with redis_process() as server:
        url = server.url.replace("redis://", "redis://:secret@")
        server.config("requirepass", "secret")
        found = redis(load({"redis_url": url}))
        assert found.state == "ok"
        assert f":{server.port}, version " in found.told
        assert "secret" not in str(found)


def test_one_that_does_not_answer_is_told_with_what_follows() -> None:
    found = redis(load({"redis_url": f"redis://127.0.0.1:{free_port()}"}))
    assert (found.state, "does not answer" in found.told) == ("warn", True)
    assert "shares nothing" in found.remedy


def test_one_that_may_throw_streams_away_is_warned_of() -> None:
    with redis_process("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        found = redis(load({"redis_url": server.url}))
        assert (found.state, "allkeys-lru" in found.told) == ("warn", True)


def test_a_cluster_is_looked_at_too() -> None:
    with cluster() as made:
        assert redis(load({"redis_url": made.url})).state == "ok"

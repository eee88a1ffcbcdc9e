"""The user that docs/operate.md makes in Redis may do all that replicas do, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.redis_server import RedisProcess, redis_process
from tests.serving import serving

OPERATE = Path(__file__).parents[2] / "docs/operate.md"
MODEL = "demo=scripted:?tokens=200&token_ms=10"
ASK = {"model": "demo", "messages": [{"role": "user", "content": "once"}]}


def make_user(redis: RedisProcess) -> str:
    """The user, by the very line of the document; the address for it."""
    [line] = re.findall(r"^(ACL SETUSER .*)$", OPERATE.read_text(), re.MULTILINE)
    redis.ask(*line.split())
    return redis.url.replace("//", "//hearth:SECRET@")


async def test_the_user_of_the_document_may_do_all_that_replicas_do() -> None:
    with redis_process() as redis:
        url = make_user(redis)
        async with httpx.AsyncClient(timeout=20) as client, serving(MODEL, redis_url=url, lease_s=2) as stays:
            async with serving(MODEL, redis_url=url, lease_s=2) as goes:
                stopped, handed = [
                    (await client.post(f"{goes.url}/v1/streams", json=ASK)).json()["id"] for _ in range(2)
                ]
                answer = await client.delete(f"{stays.url}/v1/streams/{stopped}")
                assert answer.json()["state"] == "canceled"
            told = (await client.get(f"{stays.url}/v1/streams/{handed}")).text
            assert '"kind":"takeover"' in told and '"state":"finished"' in told
            assert (await client.get(f"{stays.url}/readyz")).json()["degraded"] == []
            key = (await client.post(f"{stays.url}/admin/keys", json={"admin": True})).json()
            sent = {"x-api-key": key["secret"]}
            assert (await client.post(f"{stays.url}/v1/tickets", headers=sent)).status_code == 200
            for method, path in (("GET", "/admin/keys"), ("DELETE", f"/admin/keys/{key['id']}")):
                assert (await client.request(method, stays.url + path, headers=sent)).status_code == 200
        assert redis.ask("ACL", "LOG") == []


def test_the_user_of_the_document_may_do_nothing_to_others() -> None:
    with redis_process() as redis, Redis.from_url(make_user(redis)) as user:
        for words in ("FLUSHALL", "CONFIG GET *", "GET theirs", "PUBLISH theirs 1", "KEYS *"):
            with pytest.raises(NoPermissionError):
                user.execute_command(*words.split())

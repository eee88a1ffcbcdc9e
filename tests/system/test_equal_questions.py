"""Equal questions to real vLLM: one run for all who ask at once, and none for who asks afterwards."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from tests.vllm_server import FirstLight

pytestmark = pytest.mark.timeout(120)


def story(topic: str, **more: Any) -> dict[str, Any]:
    ask = [{"role": "user", "content": f"Tell me a story about {topic}."}]
    return {"model": "campfire", "messages": ask, "temperature": 0, "max_tokens": 60, **more}


async def served_by_vllm(client: httpx.AsyncClient) -> int:
    """How many requests vLLM says it has finished for the model."""
    text = (await client.get("/metrics")).text
    counts = re.findall(r'^vllm:request_success_total{[^}]*model_name="campfire"[^}]*} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, counts)))


async def told(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, str]:
    answer = (await client.post("/v1/chat/completions", json=body)).raise_for_status()
    return answer.headers["x-cache"], answer.json()["choices"][0]["message"]["content"]


async def test_many_at_once_are_one_run_and_a_repeat_is_none(served_vllm: FirstLight) -> None:
    async with httpx.AsyncClient(base_url=served_vllm.url, timeout=60) as client:
        before = await served_by_vllm(client)
        at_once = await asyncio.gather(*(told(client, story("a lonely lighthouse")) for _ in range(20)))
        assert sorted(how for how, _ in at_once) == ["JOIN"] * 19 + ["MISS"]
        assert len({said for _, said in at_once}) == 1 and at_once[0][1]
        assert await told(client, story("a lonely lighthouse")) == ("HIT", at_once[0][1])
        assert await served_by_vllm(client) == before + 1


async def test_a_default_spelled_out_is_the_same_question_and_another_value_another(served_vllm: FirstLight) -> None:
    async with httpx.AsyncClient(base_url=served_vllm.url, timeout=60) as client:
        body = story("a brave teapot")
        first = await told(client, body)
        # What vLLM and the model's own configuration put there.
        spelled = {"repetition_penalty": 1, "skip_special_tokens": True, "n": 1, "presence_penalty": 0.0, "seed": 7}
        assert await told(client, body | spelled) == ("HIT", first[1])
        for name, value in {"repetition_penalty": 1.3, "min_tokens": 2, "max_tokens": 61, "stop": ["."]}.items():
            assert (await told(client, body | {name: value}))[0] == "MISS", name


async def test_what_the_context_cut_is_not_given_again(served_vllm: FirstLight) -> None:
    async with httpx.AsyncClient(base_url=served_vllm.url, timeout=60) as client:
        body = story("the sea", ignore_eos=True)
        del body["max_tokens"]
        endless = {**body, "truncate_prompt_tokens": 5}
        for _ in range(2):
            assert (await told(client, endless))[0] == "MISS"

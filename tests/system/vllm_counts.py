"""What vLLM itself says it holds, read as a monitoring system would."""

from __future__ import annotations

import re
import time

import httpx


async def in_vllm(client: httpx.AsyncClient, model: str) -> int:
    """How many requests vLLM runs or has waiting for this model."""
    text = (await client.get("/metrics")).text
    name = rf'vllm:num_requests_(?:running|waiting){{[^}}]*model_name="{model}"[^}}]*}}'
    counts = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert len(counts) == 2, f"vLLM does not count {model}"
    return int(sum(float(count) for count in counts))


async def until_vllm_holds(client: httpx.AsyncClient, model: str, wanted: int, seconds: float) -> None:
    """Ask until vLLM holds just so many; an ask begun after that many seconds must see it, however long it takes."""
    deadline = time.monotonic() + seconds
    seen: list[int] = []
    while True:
        asked_at = time.monotonic()
        seen.append(await in_vllm(client, model))
        if seen[-1] == wanted:
            return
        assert asked_at <= deadline, f"wanted {wanted}, saw {seen[-20:]}"

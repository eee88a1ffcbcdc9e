"""What vLLM itself says it holds, read as a monitoring system would."""

from __future__ import annotations

import asyncio
import re

import httpx


async def in_vllm(client: httpx.AsyncClient, model: str) -> int:
    """How many requests vLLM runs or has waiting for this model."""
    text = (await client.get("/metrics")).text
    name = rf'vllm:num_requests_(?:running|waiting){{[^}}]*model_name="{model}"[^}}]*}}'
    counts = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert len(counts) == 2, f"vLLM does not count {model}"
    return int(sum(float(count) for count in counts))


async def until_vllm_holds(client: httpx.AsyncClient, model: str, wanted: int, seconds: float) -> None:
    """Wait until vLLM holds just so many. Raises TimeoutError with what it held instead."""
    seen: list[int] = []
    try:
        async with asyncio.timeout(seconds):
            while not seen or seen[-1] != wanted:
                seen.append(await in_vllm(client, model))
    except TimeoutError:
        raise TimeoutError(f"wanted {wanted}, saw {seen[-20:]}") from None

"""The official Node SDK is content, on any engine."""

from __future__ import annotations

import json

from tests.gateway.surfaces.conftest import Reached
from tests.gateway.surfaces.raw import engine_of
from tests.nodejs import run_node
from tests.serving import serving
from tests.waiting import until


async def test_node_sdk_is_served(openai_url: Reached) -> None:
    told = json.loads(await run_node("openai.mjs", openai_url.url, openai_url.model))
    plain, chunks = told["plain"], told["chunks"]
    text = plain["choices"][0]["message"]["content"]
    assert text and told["helped"] == text
    assert "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]) == text
    assert chunks[-1]["usage"] == plain["usage"]
    assert told["location"] == f"/v1/streams/{told['generation']}"
    assert told["request"][0] and told["request"][0] == told["request"][1]
    assert told["texts"] == told["streamed"] and len(told["texts"]) == 2
    assert openai_url.model in told["models"] and told["retrieved"] == openai_url.model
    assert told["unknown"] == {
        "name": "NotFoundError",
        "status": 404,
        "code": "unknown_model",
        "param": "model",
        "id": "string",
    }
    assert (told["wrong"]["name"], told["wrong"]["param"]) == ("BadRequestError", "temperature")


async def test_node_sdk_meets_tools_failures_and_leaves() -> None:
    models = (
        "tool=scripted:?tool=look&tokens=3",
        "crash=scripted:?crash_at=3&token_ms=1",
        "endless=scripted:?tokens=100000&token_ms=1",
    )
    async with serving(*models) as served:
        told = json.loads(await run_node("openai-scripted.mjs", f"{served.url}/v1"))
        await until(lambda: served.gateway.running == 0)
        assert len(engine_of(served, "endless").aborted) == 1
    for calls in (told["plain"], told["helped"]):
        assert [call["function"]["arguments"] for call in calls] == ['{"token": 0}']
        assert calls[0]["function"]["name"] == "look" and calls[0]["id"] == "call_scripted"
    assert told["finish"] == "tool_calls"
    assert told["said"]
    assert told["failed"] == {"api": True, "code": "engine_died", "type": "server_error"}
    assert told["heard"] == 3


TWICE = """
import OpenAI from 'openai';
const [baseURL, key] = process.argv.slice(1);
const sdk = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 });
const ask = { model: 'demo', messages: [{ role: 'user', content: 'hello' }] };
const once = () => sdk.chat.completions.create(ask, { headers: { 'Idempotency-Key': key } });
console.log(JSON.stringify([await once(), await once()]));
"""


async def test_node_sdk_that_asks_again_with_its_key_has_the_same_answer() -> None:
    async with serving() as served:
        first, again = json.loads(
            await run_node("--input-type=module", "--eval", TWICE, "--", f"{served.url}/v1", "a-key")
        )
    assert first == again and first["choices"][0]["message"]["content"]

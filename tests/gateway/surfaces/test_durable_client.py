"""The official client of Durable Streams is content, with a generation and with a stream of its own."""

from __future__ import annotations

import json

from tests.gateway.surfaces.watching import started, text, watched
from tests.nodejs import run_node
from tests.serving import serving


async def test_the_official_client_reads_generations_and_writes_streams() -> None:
    async with serving("demo=scripted:?token_ms=3&tokens=100", durable_writes=True, keep_alive_s=1) as server:
        id = await started(server.url)
        told = json.loads(
            await run_node("durable.mjs", f"{server.url}/v1/streams/{id}", f"{server.url}/v1/streams/the/client's")
        )
        whole = await watched(server.url, id)
    for mode in ("long-poll", "sse", "true"):
        records = told["read"][mode]
        assert [record["o"] for record in records] == list(range(len(records))), mode
        assert "".join(record.get("d", "") for record in records) == text(whole), mode
    # Without `live` it has what there was when it asked.
    early = told["read"]["false"]
    assert early == told["read"]["sse"][: len(early)]
    written = [{"n": n} for n in range(300)]
    assert (told["errors"], told["followed"], told["caught_up"]) == ([], written, written)

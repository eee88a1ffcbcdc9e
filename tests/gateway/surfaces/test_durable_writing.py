"""Remote producers on real sockets, and all that they may get wrong. The public suite does the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.surfaces.raw import CHAT, line
from tests.gateway.surfaces.watching import started
from tests.serving import Served, serving

PATH = "/v1/streams/my/stream"
TEXT = {"content-type": "text/plain"}


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving(durable_writes=True, max_body_bytes=100_000) as served:
        yield served


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_stream_is_made_written_read_and_deleted(server: Served, client: httpx.AsyncClient) -> None:
    made = await client.put(PATH, headers=TEXT, content=b"one ")
    assert (made.status_code, made.headers["location"]) == (201, f"{server.url}{PATH}")
    written = await client.post(PATH, headers=TEXT, content=b"two")
    assert written.status_code == 204
    answer = await client.get(PATH)
    assert (answer.content, answer.headers["stream-next-offset"]) == (b"one two", written.headers["stream-next-offset"])
    assert (await client.delete(PATH)).status_code == 204
    assert told(await client.get(PATH)) == (404, "unknown_generation")


async def test_a_place_in_a_stream_that_was_made_anew_is_told_to_be_of_another(client: httpx.AsyncClient) -> None:
    old = (await client.put(PATH, headers=TEXT, content=b"old")).headers["stream-next-offset"]
    await client.delete(PATH)
    await client.put(PATH, headers=TEXT, content=b"new and longer")
    assert told(await client.get(PATH, params={"offset": old})) == (409, "epoch_mismatch")


async def test_a_poller_is_sent_away_when_the_stream_is_deleted(server: Served, client: httpx.AsyncClient) -> None:
    await client.put(PATH, headers=TEXT)
    polling = asyncio.create_task(client.get(PATH, params={"offset": "-1", "live": "long-poll"}))
    while server.gateway.readers == 0:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await client.delete(PATH)
    assert told(await polling) == (404, "unknown_generation")


async def test_what_a_stranger_wrote_runs_no_script_on_this_site(client: httpx.AsyncClient) -> None:
    await client.put(PATH, headers={"content-type": "text/html"}, content=b"<script>alert(1)</script>")
    answer = await client.get(PATH)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_facts_of_a_refusal_stand_in_its_headers_and_its_body(client: httpx.AsyncClient) -> None:
    await client.put(PATH, headers=TEXT)
    producer = {**TEXT, "producer-id": "p", "producer-epoch": "3", "producer-seq": "0"}
    first = await client.post(PATH, headers=producer, content=b"a")
    assert (first.status_code, first.headers["producer-epoch"], first.headers["producer-seq"]) == (200, "3", "0")
    stale = await client.post(PATH, headers={**producer, "producer-epoch": "2"}, content=b"a")
    assert (*told(stale), stale.headers["producer-epoch"]) == (403, "stale_producer", "3")
    gap = await client.post(PATH, headers={**producer, "producer-seq": "7"}, content=b"a")
    assert told(gap) == (409, "sequence_gap")
    assert (gap.headers["producer-expected-seq"], gap.headers["producer-received-seq"]) == ("1", "7")
    assert (gap.json()["error"]["expected_seq"], gap.json()["error"]["received_seq"]) == (1, 7)
    closed = await client.post(PATH, headers={"stream-closed": "TRUE"})
    late = await client.post(PATH, headers=TEXT, content=b"b")
    assert (*told(late), late.headers["stream-closed"]) == (409, "stream_closed", "true")
    assert late.headers["stream-next-offset"] == closed.headers["stream-next-offset"]


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"a", (400, "invalid_request")),
        ({"content-type": "application/json"}, b"{}", (409, "content_type_mismatch")),
        (TEXT, b"", (400, "invalid_request")),
        (TEXT, b"x" * 100_001, (413, "body_too_large")),
        ({**TEXT, "producer-id": "p"}, b"a", (400, "invalid_request")),
        ({**TEXT, "origin": "https://elsewhere.example"}, b"a", (403, "foreign_origin")),
    ],
)
async def test_a_write_that_makes_no_sense_changes_nothing(
    client: httpx.AsyncClient, headers: Mapping[str, str], body: bytes, expected: tuple[int, str]
) -> None:
    await client.put(PATH, headers=TEXT, content=b"before")
    assert told(await client.post(PATH, headers=headers, content=body)) == expected
    assert (await client.get(PATH)).content == b"before"


async def test_a_header_that_comes_twice_is_refused(server: Served, client: httpx.AsyncClient) -> None:
    await client.put(PATH, headers=TEXT)
    twice = [("content-type", "text/plain"), ("stream-seq", "1"), ("stream-seq", "2")]
    assert told(await client.post(PATH, headers=twice, content=b"a")) == (400, "invalid_request")


async def test_pages_of_other_sites_may_neither_make_nor_delete(client: httpx.AsyncClient) -> None:
    elsewhere = {"origin": "https://elsewhere.example"}
    assert told(await client.put(PATH, headers={**TEXT, **elsewhere})) == (403, "foreign_origin")
    await client.put(PATH, headers=TEXT)
    assert told(await client.delete(PATH, headers=elsewhere)) == (403, "foreign_origin")
    asked = await client.options(PATH, headers=elsewhere)
    assert asked.status_code == 204 and "access-control-allow-origin" not in asked.headers


async def test_a_generation_is_written_by_its_engine_alone(server: Served, client: httpx.AsyncClient) -> None:
    id = await started(server.url)
    for name in (id, "gen_mine"):
        for method in ("PUT", "POST"):
            answer = await client.request(method, f"/v1/streams/{name}", headers=TEXT, content=b"a")
            assert told(answer) == (405, "read_only")


async def test_no_name_leads_around_the_rules(client: httpx.AsyncClient) -> None:
    for name in ("a%2Fb", "ü", "a b", "%F0%9F%94%A5", "..%2F..", "a" * 4000, "%00"):
        made = await client.put(f"/v1/streams/{name}", headers=TEXT, content=name.encode())
        assert made.status_code == 201, name
        assert (await client.get(made.headers["location"])).content == name.encode()


async def test_where_writes_are_not_allowed_they_are_refused_and_streams_start_as_ever() -> None:
    async with serving() as server, httpx.AsyncClient(base_url=server.url) as client:
        for method in ("PUT", "POST", "DELETE"):
            assert told(await client.request(method, PATH, headers=TEXT)) == (405, "read_only")
        assert told(await client.get(PATH)) == (404, "unknown_generation")
        assert (await client.post("/v1/streams", json=CHAT)).status_code == 201


async def test_a_server_that_goes_down_makes_no_new_stream(server: Served, client: httpx.AsyncClient) -> None:
    await client.put(PATH, headers=TEXT)
    await server.gateway.drain(0)
    assert told(await client.put("/v1/streams/other", headers=TEXT)) == (503, "draining")
    assert (await client.post(PATH, headers=TEXT, content=b"last")).status_code == 204


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async with serving(durable_writes=True, body_deadline_s=0.05) as server, line(server) as client:
        await client.send(b"PUT /v1/streams/s HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab")
        assert b" 408 " in await client.hear(b"\r\n")


async def test_another_method_is_told_which_there_are(client: httpx.AsyncClient) -> None:
    answer = await client.patch(PATH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"}


HEADERS = st.sampled_from(
    "content-type stream-ttl stream-expires-at stream-seq stream-closed if-none-match accept producer-id "
    "producer-epoch producer-seq last-event-id origin".split()
)
TEXTS = st.sampled_from(["", "0", "1", "-1", "true", "text/plain", "application/json", "now", "2030-01-01T00:00:00Z"])
ODD = TEXTS | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=4)
BODIES = st.sampled_from([b"", b"a", b"[]", b"[1,2]", b"{}", b"\xff"])
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"])
QUERIES = st.dictionaries(st.sampled_from(["offset", "live", "cursor"]), ODD | st.sampled_from(["long-poll"]))


async def test_no_request_whatever_breaks_the_server() -> None:
    asked: list[tuple[str, dict[str, str], dict[str, str], bytes]] = []

    @settings(deadline=None, max_examples=400, database=None)
    @given(METHODS, st.dictionaries(HEADERS, ODD, max_size=6), QUERIES, BODIES)
    def draw(method: str, headers: dict[str, str], query: dict[str, str], body: bytes) -> None:
        asked.append((method, headers, query, body))

    draw()
    quick = serving(durable_writes=True, keep_alive_s=0.001)
    async with quick as server, httpx.AsyncClient(base_url=server.url) as client:
        for method, headers, query, body in asked:
            sent = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
            answer = await client.request(method, PATH, headers=sent, params=query, content=body)
            assert answer.status_code < 500, (method, headers, query, body)
            assert answer.headers["x-content-type-options"] == "nosniff"

"""/predictions on real sockets: begin, look, wait, stop, list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from gateway.log.local import Log
from gateway.log.memory import MemoryLogs
from gateway.predictions.attending import Attending
from gateway.predictions.record import Record
from gateway.surfaces.replicate.retries import Retries
from tests.gateway.surfaces.raw import engine_of
from tests.redis_server import redis_process
from tests.serving import Served, serving
from tests.waiting import until

QUICK = "demo=scripted:?token_ms=1&tokens=5"
SLOW = "slow=scripted:?token_ms=20&tokens=10000"
BOOTING = "cold=scripted:?boot_ms=3000"
PROMPT = {"input": {"prompt": "once"}}
ENDED = ("succeeded", "failed", "canceled")


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving(QUICK, SLOW) as served:
        yield served


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/replicate/v1") as client:
        yield client


async def create(client: httpx.AsyncClient, model: str = "hearth/demo", **headers: str) -> httpx.Response:
    return await client.post(f"/models/{model}/predictions", json=PROMPT, headers=headers)


async def end_of(client: httpx.AsyncClient, id: str) -> dict[str, Any]:
    """The prediction once it has ended."""
    async with asyncio.timeout(10):
        while True:
            seen: dict[str, Any] = (await client.get(f"/predictions/{id}")).json()
            if seen["status"] in ENDED:
                return seen


# Beginning


@pytest.mark.parametrize("prefix", ["/replicate/v1", "/replicate", "/replicate/v1/v1"])
async def test_whatever_base_a_client_has_its_prediction_begins(server: Served, prefix: str) -> None:
    async with httpx.AsyncClient(base_url=server.url + prefix) as client:
        answer = await create(client)
        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert told["urls"]["get"] == f"{server.url}/replicate/v1/predictions/{told['id']}"
        assert answer.headers["location"] == told["urls"]["get"]
        assert (await client.get(told["urls"]["get"])).json()["id"] == told["id"]


async def test_a_reply_that_did_not_wait_says_nothing_of_the_output(client: httpx.AsyncClient) -> None:
    told = (await create(client)).json()
    assert (told["status"], told["output"], told["logs"], told["started_at"]) == ("starting", None, "", None)
    assert (len(told["id"]), told["model"], len(told["version"]), told["input"]) == (
        26,
        "hearth/demo",
        64,
        PROMPT["input"],
    )
    assert told["error"] is None and told["source"] == "api" and told["data_removed"] is False


async def test_who_waits_for_a_short_answer_has_all_of_it(client: httpx.AsyncClient) -> None:
    answer = await create(client, prefer="wait")
    told = answer.json()
    assert (answer.status_code, told["status"]) == (201, "succeeded")
    assert len(told["output"]) == 5
    assert told["metrics"]["output_token_count"] == 5
    assert told["metrics"]["total_time"] >= told["metrics"]["predict_time"] > 0
    assert told["completed_at"] >= told["started_at"] >= told["created_at"]


@pytest.mark.parametrize("seconds", [1, 2])
async def test_who_waits_in_vain_is_answered_before_its_time_is_over(client: httpx.AsyncClient, seconds: int) -> None:
    began = asyncio.get_running_loop().time()
    answer = await create(client, "hearth/slow", prefer=f"wait={seconds}")
    assert asyncio.get_running_loop().time() - began < seconds
    told = answer.json()
    assert (answer.status_code, told["status"], told["output"]) == (202, "starting", None)
    await client.post(f"/predictions/{told['id']}/cancel")


async def test_a_version_is_asked_by_its_number_or_by_name(client: httpx.AsyncClient) -> None:
    version = (await create(client)).json()["version"]
    for written in (version, f"hearth/demo:{version}", "hearth/demo", "hearth/demo:latest"):
        answer = await client.post("/predictions", json={"version": written, **PROMPT}, headers={"prefer": "wait"})
        assert answer.status_code == 201, answer.text
        assert answer.json()["version"] == version


async def test_what_no_one_reads_goes_on(server: Served, client: httpx.AsyncClient) -> None:
    answer = await create(client)
    assert (await end_of(client, answer.json()["id"]))["status"] == "succeeded"


async def test_who_leaves_while_it_waits_leaves_its_prediction_going(server: Served, client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.post(
            "/models/hearth/slow/predictions",
            json=PROMPT,
            headers={"prefer": "wait"},
            timeout=httpx.Timeout(5, read=0.3),
        )
    [running] = (await client.get("/predictions")).json()["results"]
    assert running["status"] == "processing"
    await client.post(f"/predictions/{running['id']}/cancel")


Leave = Callable[..., Awaitable[None]]


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Leave:
    """Asks, goes before the answer, and comes back when that was noticed."""
    noticed: list[str] = []
    note = Retries.left

    async def left(self: Retries, name: str, generation: str) -> None:
        await note(self, name, generation)
        noticed.append(generation)

    monkeypatch.setattr(Retries, "left", left)

    async def leave(client: httpx.AsyncClient, base: str = "", **headers: str) -> None:
        before = len(noticed)
        with pytest.raises(httpx.ReadTimeout):
            await client.post(
                f"{base}/models/hearth/slow/predictions",
                json=PROMPT,
                headers={"prefer": "wait", **headers},
                timeout=httpx.Timeout(5, read=0.3),
            )
        await until(lambda: len(noticed) > before)

    return leave


async def ids(client: httpx.AsyncClient, **headers: str) -> list[str]:
    return [each["id"] for each in (await client.get("/predictions", headers=headers)).json()["results"]]


async def test_a_repeat_of_a_call_that_was_answered_is_a_call_of_its_own(client: httpx.AsyncClient) -> None:
    first = (await create(client)).json()
    again = (await create(client, **{"x-stainless-retry-count": "1"})).json()
    assert again["id"] != first["id"]


@pytest.mark.parametrize("prefix", ["/replicate", "/replicate/v1/v1"])
async def test_the_first_who_says_the_same_after_a_caller_left_gets_what_that_began(
    server: Served, client: httpx.AsyncClient, prefix: str, leave: Leave
) -> None:
    await leave(client, server.url + prefix)
    [left] = await ids(client)
    assert (await create(client, "hearth/slow")).json()["id"] == left
    assert (await create(client, "hearth/slow")).json()["id"] != left


async def test_a_repeat_that_is_left_too_can_be_repeated(client: httpx.AsyncClient, leave: Leave) -> None:
    for _ in range(3):
        await leave(client)
    again = (await create(client, "hearth/slow")).json()
    assert await ids(client) == [again["id"]]


async def test_who_leaves_before_it_has_begun_is_found_again_too(
    server: Served, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, gone, attend = asyncio.Event(), asyncio.Event(), Attending.attend

    async def late(attending: Attending, record: Record) -> None:
        asked.set()
        await gone.wait()
        await attend(attending, record)

    monkeypatch.setattr(Attending, "attend", late)
    async with httpx.AsyncClient(base_url=f"{server.url}/replicate/v1") as leaving:
        asking = asyncio.create_task(create(leaving, "hearth/slow"))
        await asyncio.wait_for(asked.wait(), 5)
        asking.cancel()
        await asyncio.wait([asking])
    # Whoever is answered now was heard after that one had left.
    assert (await client.get(f"{server.url}/healthz")).status_code == 200
    gone.set()
    async with asyncio.timeout(5):
        while not (left := await ids(client)):
            pass
    assert (await create(client, "hearth/slow")).json()["id"] == left[0]


async def test_what_was_stopped_meanwhile_is_no_answer_to_a_repeat(client: httpx.AsyncClient, leave: Leave) -> None:
    await leave(client)
    [left] = await ids(client)
    await client.post(f"/predictions/{left}/cancel")
    again = (await create(client, "hearth/slow")).json()
    assert again["id"] != left and again["status"] == "starting"


async def test_another_key_of_the_same_owner_repeats_nothing(leave: Leave) -> None:
    async with (
        serving(SLOW, admin_key="a-long-enough-secret") as served,
        httpx.AsyncClient(base_url=f"{served.url}/replicate/v1") as client,
    ):
        admin = {"authorization": "Bearer a-long-enough-secret"}
        keys = [
            (await client.post(f"{served.url}/admin/keys", json={"name": "a", "namespace": "us"}, headers=admin)).json()
            for _ in range(2)
        ]
        one, other = ({"authorization": f"Bearer {key['secret']}"} for key in keys)
        await leave(client, **one)
        [left] = await ids(client, **one)
        assert (await create(client, "hearth/slow", **other)).json()["id"] != left
        assert (await create(client, "hearth/slow", **one)).json()["id"] == left


async def test_a_repeat_may_come_to_another_replica(leave: Leave) -> None:
    with redis_process() as redis:
        async with (
            serving(SLOW, redis_url=redis.url) as here,
            serving(SLOW, redis_url=redis.url) as there,
            httpx.AsyncClient(base_url=f"{here.url}/replicate/v1") as client,
            httpx.AsyncClient(base_url=f"{there.url}/replicate/v1") as elsewhere,
        ):
            for each in (client, elsewhere, client):
                await leave(each)
            [left] = await ids(client)
            assert (await create(elsewhere, "hearth/slow")).json()["id"] == left
            assert (await create(client, "hearth/slow")).json()["id"] != left


async def test_a_redis_that_stands_still_holds_no_create_for_long() -> None:
    with redis_process() as redis:
        async with (
            serving(SLOW, redis_url=redis.url) as served,
            httpx.AsyncClient(base_url=f"{served.url}/replicate/v1", timeout=20) as client,
        ):
            assert (await create(client, "hearth/slow")).status_code == 201
            began = asyncio.get_running_loop().time()
            with redis.frozen():
                answer = await create(client, "hearth/slow", prefer="wait=3")
            assert answer.status_code == 503
            assert asyncio.get_running_loop().time() - began < 5


async def test_the_time_that_a_caller_waits_began_when_it_came(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.get_running_loop().time()
    monkeypatch.setattr("gateway.surfaces.replicate.predictions.came", lambda request: began - 60)
    answer = await create(client, "hearth/slow", prefer="wait=60")
    assert (answer.status_code, answer.json()["status"]) == (202, "starting")


# Refusing


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/models/hearth/none/predictions", PROMPT, 404, "hearth/none"),
        ("/predictions", PROMPT, 422, "version is required"),
        ("/models/hearth/demo/predictions", {}, 422, "input is required"),
        ("/predictions", {"version": "0" * 64, **PROMPT}, 422, "version"),
        ("/models/hearth/demo/predictions", {"input": {}}, 422, "prompt"),
        ("/models/hearth/demo/predictions", {"input": {"prompt": "a", "temperature": "hot"}}, 422, "temperature"),
        ("/models/hearth/demo/predictions", {"input": []}, 422, "Expected: object"),
        ("/models/hearth/demo/predictions", {**PROMPT, "webhook": "ftp://a.b"}, 422, "webhook"),
        ("/predictions/aaaaaaaaaaaaaaaaaaaaaaaaaa/cancel", {}, 404, "prediction"),
        ("/nothing", {}, 404, ""),
        ("/predictions/", PROMPT, 404, ""),
    ],
)
async def test_what_cannot_be_is_refused_in_replicates_shape(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await client.post(path, json=body)
    told = answer.json()
    assert answer.status_code in (status, 400) and told["status"] == answer.status_code, answer.text
    assert said in told["detail"] and isinstance(told["title"], str)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("prefix", ["/replicate/v1", "/replicate", "/replicate/v1/v1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_address_with_a_slash_too_many_leads_nowhere(server: Served, prefix: str, method: str) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        for path in ("/predictions/", "/models/", "/models/hearth/demo/predictions/", "/account/"):
            answer = await client.request(method, prefix + path)
            assert (answer.status_code, answer.json()["status"]) == (404, 404)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_nested_deeply_is_refused_before_it_is_looked_at(client: httpx.AsyncClient) -> None:
    deep = '{"input":' + '{"a":' * 400 + "1" + "}" * 400 + "}"
    answer = await client.post("/models/hearth/demo/predictions", content=deep)
    assert answer.status_code in (400, 422)


async def test_a_body_that_is_no_json_is_told_so(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predictions", content=b"{")
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


async def test_without_a_key_where_one_is_wanted_the_clients_read_why() -> None:
    async with (
        serving(QUICK, admin_key="a-long-enough-secret") as served,
        httpx.AsyncClient(base_url=f"{served.url}/replicate/v1") as client,
    ):
        answer = await create(client)
        assert (answer.status_code, answer.json()["title"]) == (401, "Unauthenticated")
        for scheme in ("Bearer", "Token", "bearer"):
            answer = await create(client, authorization=f"{scheme} a-long-enough-secret")
            assert answer.status_code == 201


# Looking


async def test_output_only_grows_while_it_is_polled(client: httpx.AsyncClient) -> None:
    id = (await create(client, "hearth/slow")).json()["id"]
    seen: list[str] = []
    async with asyncio.timeout(10):
        while len(seen) < 5:
            told = (await client.get(f"/predictions/{id}")).json()
            output = told["output"] or []
            assert (told["started_at"] is not None) == (told["status"] == "processing")
            assert output[: len(seen)] == seen
            seen = output
    told = (await client.post(f"/predictions/{id}/cancel")).json()
    assert told["status"] == "canceled" and told["output"][: len(seen)] == seen
    assert told["completed_at"] is not None


async def test_what_is_stopped_frees_its_engine_and_stays_stopped(server: Served, client: httpx.AsyncClient) -> None:
    id = (await create(client, "hearth/slow")).json()["id"]
    await until(lambda: engine_of(server, "slow").running == 1)
    for _ in range(2):
        answer = await client.post(f"/predictions/{id}/cancel", headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    await until(lambda: engine_of(server, "slow").running == 0)


async def test_a_deadline_stops_what_runs_and_aborts_what_has_not_begun() -> None:
    async with (
        serving(SLOW, BOOTING, preload=False) as served,
        httpx.AsyncClient(base_url=f"{served.url}/replicate/v1") as client,
    ):
        answer = await create(client, "hearth/slow", **{"cancel-after": "4"})
        assert answer.status_code in (400, 422)
        made = [
            (await create(client, model, **{"cancel-after": "5s"})).json() for model in ("hearth/slow", "hearth/cold")
        ]
        assert all(each["deadline"] > each["created_at"] for each in made)


async def test_all_are_listed_newest_first_page_by_page(client: httpx.AsyncClient) -> None:
    made = [(await create(client, prefer="wait")).json()["id"] for _ in range(3)]
    page = (await client.get("/predictions")).json()
    assert [each["id"] for each in page["results"]] == made[::-1]
    assert (page["next"], page["previous"]) == (None, None)


async def test_a_page_that_holds_much_ends_early_whichever_way_it_is_read(
    server: Served, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, looked = [], []
    for index in range(7):
        body = {"input": {"prompt": f"{index} " + "x" * 3_000_000}}
        answer = await client.post("/models/hearth/demo/predictions", json=body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        await end_of(client, made[-1])
    look = server.gateway.look

    async def counted(id: str, owner: str) -> Log:
        looked.append(id)
        return await look(id, owner)

    monkeypatch.setattr(server.gateway, "look", counted)
    await client.get("/predictions")
    assert len(looked) == 4
    url: str | None = "/predictions"
    pages: list[dict[str, Any]] = []
    while url:
        pages.append((await client.get(url)).json())
        url = pages[-1]["next"]
    ids = [[each["id"] for each in page["results"]] for page in pages]
    assert ids == [made[:3:-1], made[3:0:-1], made[:1]]
    before = (await client.get(pages[2]["previous"])).json()
    assert [each["id"] for each in before["results"]] == ids[1]
    assert (await client.get(before["next"])).json() == pages[2]
    assert (await client.get(before["previous"])).json() == {**pages[0], "previous": None}


async def test_more_than_a_generation_may_hold_is_refused_and_leaves_nothing(
    server: Served, client: httpx.AsyncClient
) -> None:
    kept = (await create(client, prefer="wait")).json()
    logs = server.gateway._logs
    assert isinstance(logs, MemoryLogs)
    before = logs.size
    for _ in range(3):
        body = {"input": {"prompt": "x" * 5_000_000}}
        answer = await client.post("/models/hearth/demo/predictions", json=body)
        assert answer.status_code == 413
        assert str(8 << 20) in answer.json()["detail"]
    assert (logs.size, server.gateway.running) == (before, 0)
    assert [each["id"] for each in (await client.get("/predictions")).json()["results"]] == [kept["id"]]


async def test_nobody_sees_anothers() -> None:
    async with (
        serving(QUICK, admin_key="a-long-enough-secret") as served,
        httpx.AsyncClient(base_url=served.url) as client,
    ):
        admin = {"authorization": "Bearer a-long-enough-secret"}
        keys = [
            (await client.post("/admin/keys", json={"name": name}, headers=admin)).json()["secret"]
            for name in ("ann", "bob")
        ]
        ann, bob = ({"authorization": f"Bearer {key}"} for key in keys)
        told = (await client.post("/replicate/v1/models/hearth/demo/predictions", json=PROMPT, headers=ann)).json()
        for path in ("", "/cancel"):
            url = f"/replicate/v1/predictions/{told['id']}{path}"
            answer = await (client.post if path else client.get)(url, headers=bob)
            assert answer.status_code == 404
        assert (await client.get("/replicate/v1/predictions", headers=bob)).json()["results"] == []
        assert (await client.get(told["urls"]["get"], headers=ann)).status_code == 200


async def test_what_the_same_person_asked_elsewhere_is_no_prediction(server: Served, client: httpx.AsyncClient) -> None:
    chat = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
    assert (await client.post(f"{server.url}/v1/chat/completions", json=chat)).status_code == 200
    assert (await client.get("/predictions")).json()["results"] == []

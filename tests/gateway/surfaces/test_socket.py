"""/v1/ws on real sockets: many generations, each on its own lane."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.wire import watch
from tests.gateway.surfaces.raw import CHAT, engine_of
from tests.gateway.surfaces.talking import Talk, spoken, talking
from tests.gateway.surfaces.watching import started, text, watched
from tests.serving import Served, serving
from tests.waiting import until

SLOW = "demo=scripted:?token_ms=5&tokens=10000"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving("demo=scripted:?token_ms=1&tokens=20", "slow=scripted:?token_ms=5&tokens=10000") as served:
        yield served


@pytest.fixture
async def talk(server: Served) -> AsyncIterator[Talk]:
    async with talking(server.url) as talk:
        yield talk


# Lanes


async def test_a_lane_tells_what_the_stream_tells(server: Served, talk: Talk) -> None:
    generation = await talk.create("a", resumable=True)
    frames = (await talk.to_the_end("a"))["a"]
    assert [frame["t"] for frame in frames][:1] == ["opened"]
    expected = 0
    for frame in frames:
        assert frame["o"] == expected
        expected += frame["n"]
    assert frames[-1]["state"] == "finished"
    assert spoken(frames) == text(await watched(server.url, generation))


async def test_attached_comes_first_and_says_where_the_log_stands(server: Served, talk: Talk) -> None:
    id = await started(server.url)
    await watched(server.url, id)
    log = await server.gateway.open(id, "local")
    await talk.say("attach", "b", generation=id)
    assert await talk.hear() == {
        "t": "attached",
        "id": "b",
        "generation": id,
        "epoch": log.epoch,
        "from": 0,
        "tail": log.tail,
    }
    assert all(frame["replay"] for frame in (await talk.to_the_end("b"))["b"])


async def test_a_position_is_gone_on_from(server: Served, talk: Talk) -> None:
    id = await started(server.url)
    await watched(server.url, id)
    epoch = (await server.gateway.open(id, "local")).epoch
    await talk.say("attach", "b", generation=id, after=f"{epoch}-6")
    assert (await talk.hear())["from"] == 7
    assert (await talk.hear())["o"] == 7


async def test_many_lanes_each_tell_their_own(talk: Talk) -> None:
    names = [f'lane {index} é"\n' for index in range(20)]
    for name in names:
        await talk.say("create", name, request={**CHAT, "messages": [{"role": "user", "content": name}]})
    heard = await talk.to_the_end(*names)
    assert len({spoken(frames) for frames in heard.values()}) == 20
    for frames in heard.values():
        offsets = [frame["o"] for frame in frames if "o" in frame]
        assert offsets == sorted(offsets)
        assert frames[-1]["state"] == "finished"


async def test_two_lanes_may_read_one_generation(talk: Talk) -> None:
    generation = await talk.create("a")
    await talk.say("attach", "b", generation=generation)
    heard = await talk.to_the_end("a", "b")
    assert spoken(heard["a"]) == spoken(heard["b"]) != ""


async def test_a_lane_is_free_again_after_its_end(server: Served, talk: Talk) -> None:
    for _ in range(3):
        await talk.create("a")
        await talk.to_the_end("a")
    assert server.gateway.readers == 0


async def test_who_has_seen_the_end_is_told_that_there_is_no_more(server: Served, talk: Talk) -> None:
    id = await started(server.url)
    end = (await watched(server.url, id))[-1]
    await talk.say("attach", "b", generation=id, after=end.position)
    assert [(await talk.hear())["t"] for _ in range(2)] == ["attached", "detached"]
    await talk.create("b")


async def test_a_detached_resumable_generation_goes_on(server: Served, talk: Talk) -> None:
    generation = await talk.create("a", resumable=True, model="slow")
    await talk.hear("a", "delta")
    await talk.say("detach", "a")
    await talk.hear("a", "detached")
    assert engine_of(server, "slow").running == 1
    assert server.gateway.readers == 0
    await talk.say("attach", "a", generation=generation)
    await talk.hear("a", "attached")


async def test_a_generation_that_is_not_resumable_ends_with_its_lane(server: Served, talk: Talk) -> None:
    await talk.create("a", model="slow")
    await talk.say("detach", "a")
    await talk.hear("a", "detached")
    await until(lambda: engine_of(server, "slow").running == 0)


async def test_a_cancel_ends_the_generation_for_everybody(server: Served, talk: Talk) -> None:
    generation = await talk.create("a", model="slow")
    watcher = asyncio.create_task(watched(server.url, generation))
    await until(lambda: server.gateway.readers == 2)
    await talk.say("cancel", "a")
    end = await talk.hear("a", "end")
    assert (end["state"], end["reason"]) == ("canceled", "caller")
    assert (await watcher)[-1].data["state"] == "canceled"


async def test_a_ping_is_answered(talk: Talk) -> None:
    await talk.say("ping")
    assert await talk.hear() == {"t": "pong"}


# Errors


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"t": "create", "request": {**CHAT, "model": "nobody"}}, "unknown_model"),
        ({"t": "create", "request": {"model": "demo"}}, "invalid_request"),
        ({"t": "create", "request": "once"}, "invalid_request"),
        ({"t": "create"}, "invalid_request"),
        ({"t": "create", "request": CHAT, "resumable": "yes"}, "invalid_request"),
        ({"t": "attach", "generation": "gen_nothing"}, "unknown_generation"),
        ({"t": "attach"}, "invalid_request"),
        ({"t": "attach", "generation": "gen_nothing", "after": 7}, "bad_position"),
        ({"t": "cancel"}, "unknown_lane"),
        ({"t": "detach"}, "unknown_lane"),
    ],
)
async def test_an_error_is_told_on_its_lane_and_touches_no_other(
    server: Served, talk: Talk, frame: dict[str, Any], code: str
) -> None:
    await talk.create("other", model="slow")
    await talk.say(frame.pop("t"), "a", **frame)
    error = await talk.hear("a")
    assert (error["t"], error["code"], error["retry"]) == ("error", code, False)
    await talk.hear("other", "delta")
    await talk.create("a")


async def test_a_wrong_position_is_told_with_what_is_known(server: Served, talk: Talk) -> None:
    id = await started(server.url)
    await watched(server.url, id)
    log = await server.gateway.open(id, "local")
    for after, code in (("another1-3", "epoch_mismatch"), (f"{log.epoch}-999", "past_the_end"), ("x", "bad_position")):
        await talk.say("attach", "a", generation=id, after=after)
        error = await talk.hear("a")
        assert error["code"] == code
        if code != "bad_position":
            assert (error["epoch"], error["earliest"], error["tail"]) == (log.epoch, 0, log.tail)


async def test_a_lane_that_is_open_stays_so_when_its_name_is_used_again(talk: Talk) -> None:
    await talk.create("a", model="slow")
    await talk.say("create", "a", request=CHAT)
    assert (await talk.hear("a", "error"))["code"] == "lane_in_use"
    await talk.hear("a", "delta")


async def test_a_socket_has_so_many_lanes_and_no_more(server: Served) -> None:
    async with talking(server.url) as talk:
        id = await started(server.url, model="slow")
        for index in range(129):
            await talk.say("attach", str(index), generation=id)
        error = await talk.hear("128")
        assert (error["code"], error["retry"]) == ("too_many_lanes", True)
        await talk.say("detach", "0")
        await talk.hear("0", "detached")
        await talk.say("attach", "128", generation=id)
        await talk.hear("128", "attached")


BAD = [
    "{",
    "",
    "[]",
    "7",
    '"create"',
    "{}",
    '{"t":7}',
    '{"t":"dance"}',
    '{"t":"create"}',
    '{"t":"create","id":""}',
    '{"t":"create","id":7}',
    '{"t":"create","id":"' + "a" * 65 + '"}',
    b'{"t":"ping"}',
    "[" * 5000,
]


@pytest.mark.parametrize("frame", BAD, ids=range(len(BAD)))
async def test_a_frame_that_makes_no_sense_is_told_and_the_socket_stays(talk: Talk, frame: str | bytes) -> None:
    await talk.connection.send(frame)
    error = await talk.hear()
    assert error["t"] == "error"
    assert error["code"] in ("bad_json", "bad_frame")
    assert "id" not in error
    await talk.say("ping")
    assert (await talk.hear())["t"] == "pong"


async def test_garbage_without_end_closes_the_socket(talk: Talk) -> None:
    for _ in range(9):
        await talk.connection.send("garbage")
    await talk.say("ping")
    for _ in range(10):
        await talk.connection.send("garbage")
    with pytest.raises(ConnectionClosed) as closed:
        for _ in range(21):
            await talk.hear()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


async def test_a_frame_that_is_too_large_closes_the_socket() -> None:
    async with serving(max_body_bytes=10_000) as server, talking(server.url) as talk:
        await talk.say("ping", pad="x" * 20_000)
        with pytest.raises(ConnectionClosed) as closed:
            await talk.hear()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


# Who may open one


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://[", ""]
)
async def test_a_page_of_another_site_is_refused(server: Served, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(server.url, additional_headers={"origin": origin}):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "foreign_origin"


async def test_a_page_of_this_server_is_let_in(server: Served) -> None:
    async with talking(server.url, additional_headers={"origin": server.url}) as talk:
        await talk.say("ping")
        assert (await talk.hear())["t"] == "pong"


# Leaving


async def test_closing_the_socket_closes_every_lane_and_stops_what_needs_them() -> None:
    async with serving(SLOW, abandon_after_s=60) as server:
        async with talking(server.url) as talk:
            for name in ("a", "b", "c"):
                await talk.create(name, resumable=name == "c")
            await until(lambda: engine_of(server).running == 3)
        await until(lambda: server.gateway.readers == 0)
        await until(lambda: engine_of(server).running == 1)


async def test_a_socket_that_vanishes_is_a_socket_that_is_closed() -> None:
    async with serving(SLOW) as server:
        async with talking(server.url) as talk:
            await talk.create("a")
            talk.connection.transport.abort()
            await until(lambda: engine_of(server).running == 0)
        assert server.gateway.readers == 0


async def test_a_server_that_goes_down_says_so(server: Served) -> None:
    async with talking(server.url) as idle, talking(server.url) as busy:
        await busy.create("a", resumable=True, model="slow")
        draining = asyncio.create_task(server.gateway.drain(0))
        for talk in (idle, busy):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await talk.hear()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "draining")
        await draining


async def test_what_is_asked_of_a_server_that_goes_down_is_refused_resumably(server: Served) -> None:
    async with talking(server.url) as talk:
        await talk.create("a", resumable=True, model="slow")
        draining = asyncio.create_task(server.gateway.drain(60))
        await until(lambda: server.gateway.closing)
        await talk.say("create", "b", request=CHAT)
        error = await talk.hear("b")
        assert (error["code"], error["retry"]) == ("draining", True)
        await talk.say("cancel", "a")
        await draining


async def test_no_task_is_left_when_the_sockets_are_gone() -> None:
    async with serving(SLOW) as server:
        before = len(asyncio.all_tasks())
        for _ in range(5):
            async with talking(server.url) as talk:
                await talk.create("a")
                await talk.hear("a", "delta")
        await until(lambda: len(asyncio.all_tasks()) <= before)


# Faults of ours


async def test_a_fault_on_one_lane_is_told_there_without_its_details(
    server: Served, talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret")

    await talk.create("other", model="slow")
    monkeypatch.setattr(server.gateway, "start", broken)
    await talk.say("create", "a", request=CHAT)
    error = await talk.hear("a")
    assert (error["code"], "secret" in error["message"]) == ("internal_error", False)
    assert "secret" in caplog.text
    await talk.hear("other", "delta")


async def test_a_fault_while_speaking_closes_the_socket_and_leaves_nothing(
    server: Served, talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(watch, "messages", broken)
    await talk.say("create", "a", request={**CHAT, "model": "slow"})
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await talk.hear()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "")
    await until(lambda: server.gateway.readers == 0 and engine_of(server, "slow").running == 0)
    assert "secret" in caplog.text


# Whatever is sent


async def test_nothing_that_a_client_sends_breaks_more_than_its_own_lane(server: Served, talk: Talk) -> None:
    chance = random.Random(11)
    odd: list[Any] = [
        "a",
        "b",
        "",
        None,
        7,
        [],
        {},
        "gen_x",
        "x" * 65,
        True,
        CHAT,
        {**CHAT, "n": 0},
        "\u2028",
        "ep0ch-1",
    ]
    fields = ["id", "generation", "request", "resumable", "after"]
    await talk.create("stays", model="slow")
    for _ in range(300):
        verb = chance.choice(["create", "attach", "cancel", "detach", "ping"])
        frame = {name: chance.choice(odd) for name in fields if chance.random() < 0.8}
        await talk.connection.send(json.dumps({"t": verb, **frame}))
        await talk.say("ping")
    await talk.say("cancel", "stays")
    assert (await talk.hear("stays", "end"))["reason"] == "caller"
    await talk.connection.close()
    await until(lambda: server.gateway.readers == 0)

"""Webhooks as somebody on a real socket meets them."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest
from aiohttp import web
from replicate.webhook import Webhooks as Official
from replicate.webhook import WebhookSigningSecret

from gateway.errors import HearthError
from gateway.events import Accepted, Delta, Event, Finished, LogLine, Timings, Usage
from gateway.metrics import Metrics
from gateway.webhooks.patience import Patience
from tests.gateway.webhooks.receiving import (
    QUICK,
    Answer,
    Book,
    answers,
    attend,
    case,
    ended,
    receiving,
    render,
    secret,
    silence,
    soon,
    telling,
)
from tests.waiting import until

WORD, LINE = Delta(0, "word"), LogLine("50%\n")
END = Finished("stop", Usage(), Timings())


def hanging(first: int) -> Answer:
    """Answers nothing to so many calls."""
    left = [first]

    async def answer(request: web.Request) -> web.StreamResponse:
        left[0] -= 1
        if left[0] >= 0:
            await silence(60)
        return web.Response()

    return answer


async def test_start_outputs_logs_and_end_come_in_order_with_what_was_there():
    book = Book()
    async with receiving() as receiver, telling(book) as webhooks:
        here = case(receiver.url)
        task = asyncio.create_task(attend(webhooks, here))
        course: list[Event] = [Accepted(1), WORD, LINE, WORD]
        for event in course:
            calls = len(receiver.heard)
            here.say(event)
            await until(lambda: len(receiver.heard) > calls)  # noqa: B023
        here.say(END)
        await soon(task)
    assert receiver.events == ["start", "output", "logs", "output", "completed"]
    assert [each.said["seen"] for each in receiver.heard] == [0, 1, 2, 3, 4]
    assert [each.said["status"] for each in receiver.heard] == [*["processing"] * 4, "succeeded"]
    assert len({each.headers["webhook-id"] for each in receiver.heard}) == 5
    assert receiver.heard[-1].body == render(here.ended(), here.log, "completed")
    assert [each.arrived for each in book.kept[here.record.id]] == [True] * 5


async def test_every_call_passes_the_official_clients_own_check():
    async with receiving() as receiver, telling(Book()) as webhooks:
        here = case(receiver.url)
        here.say(Accepted(1), WORD, END)
        await soon(attend(webhooks, here))
    assert receiver.events == ["start", "completed"]
    for heard in receiver.heard:
        key = WebhookSigningSecret(key=await secret("key_a"))
        Official.validate(headers=heard.headers, body=heard.body.decode(), secret=key, tolerance=60)
        assert heard.path == "/hook?token=secret"
        assert heard.headers["content-type"] == "application/json"
        assert heard.headers["user-agent"].startswith("Hearth/")


async def test_a_burst_of_words_makes_few_calls():
    async with receiving() as receiver, telling(Book(), every_s=0.05) as webhooks:
        here = case(receiver.url, "output", "completed")
        task = asyncio.create_task(attend(webhooks, here))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() - begun < 0.3:
            here.say(WORD)
            await asyncio.sleep(0)
        here.say(END)
        await soon(task)
        most = 2 + (loop.time() - begun) / 0.05
    assert 2 <= receiver.events.count("output") <= most
    assert receiver.events[-1] == "completed"


@pytest.mark.parametrize(
    ("wanted", "events"),
    [
        (["completed"], ["completed"]),
        (["start"], ["start"]),
        (["output"], ["output"]),
        (["logs", "completed"], ["completed"]),
        (["start", "output", "logs", "completed"], ["start", "completed"]),
    ],
)
async def test_only_what_is_wanted_is_told(wanted, events):
    async with receiving() as receiver, telling(Book()) as webhooks:
        here = case(receiver.url, *wanted)
        here.say(Accepted(1), WORD, LINE, END)
        await soon(attend(webhooks, here))
    assert receiver.events == events


async def test_whoever_has_no_webhook_is_told_nothing():
    book = Book()
    async with telling(book) as webhooks:
        here = case(None)
        await soon(webhooks.follow(here.record, here.reader()))
        await soon(webhooks.complete(here.ended(), None))
    assert book.kept == {}


@pytest.mark.parametrize("status", [500, 503, 429, 404, 400, 302, 307])
async def test_the_end_is_told_again_under_the_same_name_until_it_is_heard(status):
    book = Book()
    async with receiving() as receiver, telling(book) as webhooks:
        here = case(receiver.url, "completed")
        receiver.answer = answers(status, status, 200, location="/elsewhere")
        await soon(webhooks.complete(here.ended(), None))
    first, *rest = receiver.heard
    assert len(rest) == 2 and all(each.path == first.path for each in rest)
    assert {each.headers["webhook-id"] for each in rest} == {first.headers["webhook-id"]}
    assert {each.body for each in rest} == {first.body}
    tries = book.kept[here.record.id]
    assert [(each.attempt, each.status, each.arrived) for each in tries] == [
        (1, status, False),
        (2, status, False),
        (3, 200, True),
    ]


async def test_a_connection_that_breaks_and_one_that_says_nothing_are_tried_again():
    book = Book()

    async def breaks(request: web.Request) -> web.StreamResponse:
        receiver.answer = hanging(1)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with receiving() as receiver, telling(book, answer_s=0.3) as webhooks:
        here = case(receiver.url, "completed")
        receiver.answer = breaks
        await soon(webhooks.complete(here.ended(), None))
    first, second, third = book.kept[here.record.id]
    assert (first.status, first.error) == (None, "They closed the connection without an answer.")
    assert (second.status, second.error) == (None, "They took too long.")
    assert third.arrived


async def test_what_the_course_was_is_told_once_whatever_becomes_of_it():
    book = Book()
    async with receiving() as receiver, telling(book, answer_s=0.2) as webhooks:
        here = case(receiver.url)
        receiver.answer = answers(500, 500, 200)
        task = asyncio.create_task(attend(webhooks, here))
        here.say(Accepted(1), WORD)
        await until(lambda: len(receiver.heard) == 2)
        here.say(END)
        await soon(task)
    assert receiver.events == ["start", "output", "completed"]


async def test_a_slow_receiver_gets_the_newest_and_the_end_last():
    async with receiving() as receiver, telling(Book(), answer_s=0.2) as webhooks:
        here = case(receiver.url)
        receiver.answer = hanging(2)
        task = asyncio.create_task(attend(webhooks, here))
        here.say(Accepted(1))
        await until(lambda: receiver.events == ["start"])
        here.say(WORD, WORD, WORD)
        await until(lambda: receiver.events == ["start", "output"])
        here.say(WORD, END)
        await soon(task)
    assert receiver.events == ["start", "output", "completed"]
    assert [each.said["seen"] for each in receiver.heard] == [0, 3, 5]


async def test_what_is_over_while_somebody_hears_of_the_start_is_told_by_the_end_alone():
    async with receiving() as receiver, telling(Book(), answer_s=0.2) as webhooks:
        here = case(receiver.url)
        receiver.answer = hanging(1)
        task = asyncio.create_task(attend(webhooks, here))
        here.say(Accepted(1), WORD, LINE)
        await until(lambda: receiver.events == ["start"])
        here.say(WORD, END)
        await soon(task)
    assert receiver.events == ["start", "completed"]
    assert [each.said["of"] for each in receiver.heard] == ["start", "completed"]


async def test_the_time_for_an_end_begins_with_its_first_try_and_not_with_the_wait_for_that():
    book, busy = Book(), 8
    patience = Patience(total_s=1.0, first_s=0.001, longest_s=0.01)
    async with receiving() as receiver, telling(book, patience=patience, answer_s=1.2) as webhooks:
        receiver.answer = hanging(busy)
        hanging_ones = [asyncio.create_task(webhooks.again(case(receiver.url).ended(), None)) for _ in range(busy)]
        await until(lambda: len(receiver.heard) == busy)
        here = case(receiver.url, "completed")
        receiver.answer = answers(500, 500, 200)
        await soon(webhooks.complete(here.ended(), None))
        await soon(asyncio.gather(*hanging_ones))
    assert [each.status for each in book.kept[here.record.id]] == [500, 500, 200]
    assert all(each.seconds < 1.0 for each in book.kept[here.record.id])


async def test_one_owners_hanging_receivers_delay_nobody_else():
    names = [f"0x{'0' * zeros}7f.1" for zeros in range(8)]
    async with receiving() as receiver, telling(Book()) as webhooks:
        others = [case(receiver.url, "completed") for _ in range(50)]
        quick = {each.record.id for each in others}

        async def hangs_but_for_others(request: web.Request) -> web.StreamResponse:
            if (await request.json())["id"] not in quick:
                await silence(60)
            return web.Response()

        receiver.answer = hangs_but_for_others
        flood = [case(receiver.url.replace("127.0.0.1", name), "completed", owner="flood") for name in names * 9]
        waiting = [asyncio.create_task(webhooks.complete(each.ended(), None)) for each in flood]
        try:
            await until(lambda: len(receiver.heard) >= 16)
            async with asyncio.timeout(4):
                for each in others:
                    await webhooks.complete(each.ended(), None)
            assert len(receiver.heard) == 16 + len(others)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)


async def test_it_is_given_up_after_its_time_with_a_note(caplog):
    book = Book()
    patience = Patience(total_s=0.05, first_s=0.001, longest_s=0.02)
    async with receiving() as receiver, telling(book, patience=patience) as webhooks:
        here = case(receiver.url, "completed")
        receiver.answer = answers(500)
        with caplog.at_level(logging.INFO):
            await soon(webhooks.complete(here.ended(), None))
    assert len(receiver.heard) == len(book.kept[here.record.id]) > 3
    assert caplog.messages[-1].endswith("did not hear of its end: status 500")
    assert "secret" not in caplog.text


async def test_whoever_is_gone_is_not_asked_again():
    book = Book()
    async with receiving() as receiver, telling(book) as webhooks:
        receiver.answer = answers(410)
        here = case(receiver.url, "completed")
        await soon(webhooks.complete(here.ended(), None))
    assert [each.status for each in book.kept[here.record.id]] == [410]


async def test_they_are_asked_no_sooner_than_they_wish():
    slow = Patience(total_s=60.0, first_s=0.001, longest_s=30.0)
    async with receiving() as receiver, telling(Book(), patience=slow) as webhooks:
        receiver.answer = answers(503, 200, **{"retry-after": "1"})
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await soon(webhooks.complete(case(receiver.url, "completed").ended(), None))
        assert loop.time() - begun >= 1
    assert len(receiver.heard) == 2


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "file:///etc/passwd", "http://[::1/", "http:"],
)
async def test_an_address_that_is_not_called_is_given_up_at_once_and_told(url):
    book = Book()
    async with telling(book) as webhooks:
        here = case(url, "completed")
        await soon(webhooks.complete(here.ended(), None))
    [tried] = book.kept[here.record.id]
    assert tried.status is None and tried.error
    assert "latest" not in tried.error and "passwd" not in tried.error


async def test_a_private_receiver_is_not_called_unless_that_is_allowed():
    book = Book()
    async with receiving() as receiver, telling(book, allowed=[]) as webhooks:
        here = case(receiver.url)
        here.say(Accepted(1), WORD, END)
        await soon(attend(webhooks, here))
    assert receiver.heard == []
    assert {each.error for each in book.kept[here.record.id]} == {
        "127.0.0.1 is not a public address, and this server calls no others."
    }


async def test_what_is_written_down_holds_nothing_secret_of_the_address():
    book = Book()
    unused = socket.create_server(("127.0.0.1", 0))
    port = unused.getsockname()[1]
    unused.close()
    patience = QUICK._replace(total_s=0.01)
    async with telling(book, patience=patience) as webhooks:
        for url in (f"http://me:secret@127.0.0.1:{port}/x?token=secret", f"https://127.0.0.1:{port}/?secret"):
            await soon(webhooks.complete(case(url, "completed").ended(), None))
    errors = {each.error for tries in book.kept.values() for each in tries}
    assert errors == {"They cannot be reached: Connection refused."}


async def test_an_answer_that_never_ends_is_not_read():
    sent = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)
            sent.append(65536)

    async with receiving() as receiver, telling(Book()) as webhooks:
        receiver.answer = endless
        await soon(webhooks.complete(case(receiver.url, "completed").ended(), None))
    assert len(receiver.heard) == 1
    # What the two sockets hold between them, and not more for being waited for.
    assert sum(sent) < 16 << 20


async def test_an_end_that_was_heard_is_not_told_again_by_whoever_takes_over():
    book = Book()
    async with receiving() as receiver, telling(book) as webhooks:
        here = case(receiver.url)
        here.say(Accepted(1), WORD)
        first = asyncio.create_task(attend(webhooks, here))
        await until(lambda: receiver.events == ["start", "output"])
        first.cancel()
        await asyncio.wait([first])
        here.say(END)
        await soon(attend(webhooks, here))
        await soon(attend(webhooks, here))
    assert receiver.events == ["start", "output", "completed"]


async def test_whoever_is_told_twice_is_told_under_the_same_name():
    """The replica that told it died before it could write that down."""
    book = Book()
    async with receiving() as receiver, telling(book) as webhooks:
        here = case(receiver.url)
        here.say(Accepted(1), WORD, END)
        book.away = True
        await soon(attend(webhooks, here))
        await soon(attend(webhooks, here))
    assert receiver.events == ["start", "completed"] * 2
    assert len({each.headers["webhook-id"] for each in receiver.heard}) == 2


async def test_while_no_secret_can_be_had_the_end_waits():
    left = [3]

    async def sometimes(key: str) -> str:
        left[0] -= 1
        if left[0] > 0:
            raise HearthError("state_unavailable")
        return await secret(key)

    book = Book()
    async with receiving() as receiver, telling(book, secret=sometimes) as webhooks:
        here = case(receiver.url, "completed")
        await soon(webhooks.complete(here.ended(), None))
    assert len(receiver.heard) == 1
    assert [each.arrived for each in book.kept[here.record.id]] == [False, False, True]


async def test_a_log_that_is_lost_ends_the_following():
    async with receiving() as receiver, telling(Book()) as webhooks:
        here = case(receiver.url)
        here.say(Accepted(1))
        task = asyncio.create_task(webhooks.follow(here.record, here.reader()))
        await until(lambda: receiver.events == ["start"])
        here.log.lose("log_unavailable")
        await soon(task)


async def test_it_is_told_once_more_when_somebody_asks_for_that():
    book = Book()
    async with receiving() as receiver, telling(book) as webhooks:
        here = case(receiver.url, "completed")
        await soon(webhooks.complete(here.ended(), None))
        receiver.answer = answers(500)
        assert not (await soon(webhooks.again(here.ended(), None))).arrived
        receiver.answer = answers(200)
        assert (await soon(webhooks.again(here.ended(), None))).arrived
    assert [each.attempt for each in book.kept[here.record.id]] == [1, 2, 3]
    assert len({each.headers["webhook-id"] for each in receiver.heard}) == 1


async def test_tries_are_counted_by_how_they_went():
    metrics = Metrics()
    async with receiving() as receiver, telling(Book(), metrics=metrics) as webhooks:
        receiver.answer = answers(500, 200)
        await soon(webhooks.complete(case(receiver.url).ended(), None))
        await soon(webhooks.complete(ended(case("http://10.0.0.1/").record), None))
    shown = metrics.render().decode()
    for outcome in ("delivered", "rejected", "refused"):
        assert f'hearth_webhook_deliveries_total{{outcome="{outcome}"}} 1.0' in shown

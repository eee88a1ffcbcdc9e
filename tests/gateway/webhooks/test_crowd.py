"""Many predictions at once, a receiver that fails at random, and a replica that dies."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

from aiohttp import web
from replicate.webhook import Webhooks as Official
from replicate.webhook import WebhookSigningSecret

from gateway.events import Accepted, Delta, Finished, Timings, Usage
from tests.gateway.webhooks.receiving import Book, attend, case, receiving, secret, silence, soon, telling
from tests.waiting import until

MANY = 200
END = Finished("stop", Usage(), Timings())


async def test_every_end_is_heard_in_order_none_lost_and_none_forged():
    luck, book = random.Random(6), Book()

    async def moody(request: web.Request) -> web.StreamResponse:
        mood = luck.random()
        if mood < 0.1:
            assert request.transport is not None
            request.transport.abort()
        elif mood < 0.15:
            await silence(0.3)
        return web.Response(status=500 if mood < 0.4 else 200)

    async with receiving() as receiver, telling(book, answer_s=0.2) as first, telling(book, answer_s=0.2) as second:
        receiver.answer = moody
        cases = [case(receiver.url, key=f"key_{number % 3}") for number in range(MANY)]
        dying = [asyncio.create_task(attend(first, each)) for each in cases[: MANY // 2]]
        going_on = [asyncio.create_task(attend(second, each)) for each in cases[MANY // 2 :]]
        for each in cases:
            each.say(Accepted(1), Delta(0, "word"))
        await until(lambda: len(receiver.heard) > MANY)
        for each in cases:
            each.say(Delta(0, "word"), END)
        await until(lambda: receiver.events.count("completed") > MANY // 4)
        for task in dying:
            task.cancel()
        await asyncio.wait(dying)
        going_on += [asyncio.create_task(attend(second, each)) for each in cases[: MANY // 2]]
        await soon(asyncio.gather(*going_on))

    by_id = {each.record.id: each.record for each in cases}
    told: dict[str, list[str]] = defaultdict(list)
    for heard in receiver.heard:
        record = by_id[heard.said["id"]]
        key = WebhookSigningSecret(key=await secret(record.key))
        Official.validate(headers=heard.headers, body=heard.body.decode(), secret=key, tolerance=60)
        told[record.id].append(heard.headers["webhook-id"].split("_")[2])
    for id in by_id:
        assert any(each.arrived for each in book.kept[id] if each.happening == "completed")
        assert told[id][0] == "start"
        assert set(told[id][told[id].index("completed") :]) == {"completed"}, "nothing comes after the end"

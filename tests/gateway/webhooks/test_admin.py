"""/admin/webhooks, and each key's secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.events import Accepted, Delta
from gateway.keyring.issue import issue
from gateway.keys import Key
from gateway.predictions.record import Record
from gateway.webhooks import signing
from tests.gateway.webhooks.office import Shelf, office
from tests.gateway.webhooks.receiving import answers, case, receiving

HOUR = "/admin/webhooks?since=3600"


def keep(shelf: Shelf, url: str | None, *, is_over: bool = True) -> Record:
    """A prediction with its log."""
    made = case(url)
    made.say(Accepted(1), Delta(0, "word"))
    record = made.ended() if is_over else made.record
    shelf.records[record.id] = record
    shelf.logs[record.generation] = made.log
    return record


async def test_who_did_not_hear_is_listed_until_a_replay_is_heard(tmp_path: Path) -> None:
    shelf = Shelf()
    async with receiving() as receiver, office(shelf, tmp_path) as here:
        receiver.answer = answers(500, 200)
        record = keep(shelf, receiver.url)
        failed = (await here.ask("POST", f"/admin/webhooks/{record.id}/replay")).json()
        assert (failed["arrived"], failed["status"], failed["event"]) == (False, 500, "completed")
        [lost] = (await here.ask("GET", HOUR)).json()["data"]
        assert (lost["id"], lost["delivered"], len(lost["tries"])) == (record.id, False, 1)
        assert (await here.ask("POST", f"/admin/webhooks/{record.id}/replay")).json()["arrived"]
        assert (await here.ask("GET", HOUR)).json() == {"object": "list", "data": []}
        told = (await here.ask("GET", f"/admin/webhooks/{record.id}")).json()
        assert told["delivered"] and [each["attempt"] for each in told["tries"]] == [1, 2]
    first, second = receiver.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body and first.said["seen"] == 1


async def test_what_is_shown_holds_nothing_secret_of_the_address(tmp_path: Path) -> None:
    shelf = Shelf()
    async with office(shelf, tmp_path, allowed=[]) as here:
        record = keep(shelf, "http://me:secret@127.0.0.1/hook?token=secret")
        told = [await here.ask("POST", f"/admin/webhooks/{record.id}/replay")]
        told += [await here.ask("GET", path) for path in (HOUR, f"/admin/webhooks/{record.id}")]
    assert all(each.status_code == 200 and "secret" not in each.text for each in told)
    assert told[-1].json()["address"] == "http://127.0.0.1/hook"


async def test_what_is_no_longer_kept_is_told_without_it(tmp_path: Path) -> None:
    shelf = Shelf()
    async with receiving() as receiver, office(shelf, tmp_path) as here:
        record = keep(shelf, receiver.url)
        shelf.logs.clear()
        assert (await here.ask("POST", f"/admin/webhooks/{record.id}/replay")).json()["arrived"]
    assert receiver.heard[0].said["seen"] is None


async def test_only_what_has_ended_and_has_a_webhook_is_told_again(tmp_path: Path) -> None:
    shelf = Shelf()
    async with office(shelf, tmp_path) as here:
        running, silent = keep(shelf, "http://127.0.0.1/", is_over=False), keep(shelf, None)
        for id, status in ((running.id, 400), (silent.id, 400), ("none", 404)):
            answer = await here.ask("POST", f"/admin/webhooks/{id}/replay")
            assert answer.status_code == status
        assert (await here.ask("GET", "/admin/webhooks/none")).json()["error"]["code"] == "unknown_prediction"
    assert shelf.kept == {}


@pytest.mark.parametrize("since", ["-1", "1e9", "", "٣", "9" * 30, "1h"])
async def test_since_is_so_many_seconds_ago(tmp_path: Path, since: str) -> None:
    async with office(Shelf(), tmp_path) as here:
        answer = await here.ask("GET", f"/admin/webhooks?since={since}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "since")


async def test_without_an_admin_key_nobody_sees_or_replays(tmp_path: Path) -> None:
    shelf = Shelf()
    async with office(shelf, tmp_path) as here:
        record = keep(shelf, "http://127.0.0.1/")
        made = await issue(here.lookup._keyring, Key(id="key_a", name="a", namespace="a"))
        for method, path in (
            ("GET", "/admin/webhooks"),
            ("GET", f"/admin/webhooks/{record.id}"),
            ("POST", f"/admin/webhooks/{record.id}/replay"),
        ):
            answer = await here.ask(method, path, made.secret)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert shelf.kept == {}


async def test_each_key_has_its_own_secret_and_keeps_it(tmp_path: Path) -> None:
    async with office(Shelf(), tmp_path) as here:
        made = [await issue(here.lookup._keyring, Key(id=id, name=id, namespace="a")) for id in ("key_a", "key_b")]
        told = [await here.ask("GET", "/webhooks/default/secret", each.secret) for each in (*made, made[0])]
        seal = await here.lookup.seal()
    assert [each.json() for each in told] == [{"key": signing.secret(seal, f"key_{id}")} for id in "aba"]
    assert all(each.headers["cache-control"] == "no-store" for each in told)

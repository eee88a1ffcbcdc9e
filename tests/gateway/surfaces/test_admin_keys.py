"""/admin/keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.surfaces.house import ADMIN, house, refused


async def test_a_key_is_made_listed_shown_and_revoked(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        answer = await here.ask("POST", "/admin/keys", json={"name": "shop", "budget": {"amount": 5}})
        assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
        made = answer.json()
        assert made["name"] == "shop" and made["namespace"] == made["id"] and made["state"] == "good"
        assert made["budget"] == {"amount": 5.0, "period": "month"}
        secret = made.pop("secret")
        assert secret.startswith("hearth_") and secret.endswith(made["hint"])
        where = answer.headers["location"]
        assert (await here.ask("GET", where)).json() == made
        assert (await here.ask("GET", "/admin/keys")).json() == {"object": "list", "data": [made]}
        ended = (await here.ask("DELETE", where)).json()
        assert ended["state"] == "revoked" and ended["revoked"] > made["created"]
        assert (await here.ask("DELETE", where)).json() == ended
        assert (await here.ask("GET", "/admin/keys")).json()["data"] == [ended]


async def test_the_secret_is_shown_once_and_kept_nowhere(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        made = await here.key()
        for path in ("/admin/keys", f"/admin/keys/{made['id']}"):
            assert made["secret"] not in (await here.ask("GET", path)).text
        await here.ask("GET", "/v1/models", made["secret"])
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert made["id"].encode() in kept and made["secret"].encode() not in kept


async def test_without_an_admin_key_nobody_gets_behind_admin(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        made = await here.key()
        for method, path in (
            ("POST", "/admin/keys"),
            ("GET", "/admin/keys"),
            ("GET", f"/admin/keys/{made['id']}"),
            ("DELETE", f"/admin/keys/{made['id']}"),
            ("DELETE", "/admin/keys/key_none"),
        ):
            answer = await here.ask(method, path, made["secret"], json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
            assert refused(await here.ask(method, path, None))
        other = await here.key(admin=True)
        assert (await here.ask("GET", "/admin/keys", other["secret"])).status_code == 200


async def test_an_unknown_key_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for method in ("GET", "DELETE"):
            answer = await here.ask(method, "/admin/keys/key_none")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_key")


@pytest.mark.parametrize(
    ("body", "field"),
    [({"nmae": "x"}, "nmae"), ({"budget": {"amount": "5"}}, "budget.amount"), ({"expires": 0}, "expires")],
)
async def test_what_is_wrong_with_a_body_is_named(tmp_path: Path, body: dict[str, Any], field: str) -> None:
    async with house(tmp_path) as here:
        answer = await here.ask("POST", "/admin/keys", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
        assert (await here.ask("GET", "/admin/keys")).json()["data"] == []


async def test_of_two_admins_who_revoke_a_key_at_once_both_are_told_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        made = await here.key()
        told = await asyncio.gather(*(here.ask("DELETE", f"/admin/keys/{made['id']}", ADMIN) for _ in range(8)))
        assert {answer.status_code for answer in told} == {200}
        assert len({answer.text for answer in told}) == 1

"""A server that asks for no key listens on its own machine alone, and says so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.__main__ import main
from gateway.cli.reach import reach
from gateway.settings import load
from tests.serving import process


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("asked", "host"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("box.example", "127.0.0.1")])
def test_without_a_key_it_stays_on_its_machine_and_says_what_to_do(asked: str, host: str) -> None:
    settings, told = reach(load({"host": asked}))
    assert settings.host == host
    assert told[0] == f"NO KEY IS CONFIGURED: it listens on {host} alone, and not on {asked} as was asked."
    assert all(any(way in line for line in told) for way in ("hearth keys create", "ADMIN_KEY", "OPEN_ACCESS"))


@pytest.mark.parametrize("more", [{"admin_key": "sesame"}, {"open_access": True}])
def test_with_an_admin_key_or_open_access_it_listens_where_it_was_told(more: dict[str, Any]) -> None:
    settings, told = reach(load({"host": "0.0.0.0", **more}))
    assert settings.host == "0.0.0.0" and told == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "::1", "localhost"])
def test_on_its_own_machine_nothing_is_looked_for(host: str) -> None:
    settings = load({"host": host, "redis_url": "redis://127.0.0.1:1"})
    assert reach(settings) == (settings, ())


def test_with_a_key_a_revoked_one_too_it_listens_where_it_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "create", "--json"])
    assert reach(load({"host": "0.0.0.0"})).settings.host == "0.0.0.0"


def test_a_store_that_is_away_is_no_reason_to_stay_inside() -> None:
    """For on a network a key is wanted in any case."""
    settings, told = reach(load({"host": "0.0.0.0", "redis_url": "redis://127.0.0.1:1"}))
    assert settings.host == "0.0.0.0"
    assert "cannot be reached" in told[0] and "Every call wants a key" in told[1]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux who listens")
@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_the_whole_server_is_reached_from_its_machine_alone(workers: tuple[str, ...]) -> None:
    with process("--host", "0.0.0.0", "--model", "demo=scripted:", *workers) as served:
        [socket] = _listening(int(served.url.rpartition(":")[2]))
        assert socket == "0100007F", "127.0.0.1"
        assert httpx.get(f"{served.url}/v1/models").status_code == 200


def test_workers_keep_keys_in_the_file_and_not_in_their_redis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_STATE_FILE", str(tmp_path / "hearth.db"))
    words = ("--workers", "2", "--model", "demo=scripted:", "--admin-key", "sesame")
    for _ in range(2):
        with process(*words) as served:
            answer = httpx.post(f"{served.url}/admin/keys", json={}, headers={"x-api-key": "sesame"})
            assert answer.status_code == 201
            for _ in range(4):
                mine = {"x-api-key": answer.json()["secret"]}
                assert httpx.get(f"{served.url}/v1/models", headers=mine).status_code == 200
    assert main(["keys", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def _listening(port: int) -> list[str]:
    """The IPv4 addresses that listen on that port, as Linux writes them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]

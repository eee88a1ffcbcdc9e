"""hearth keys, and what the other commands do with a key."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.cli.keys import table
from gateway.keyring.lookup import FRESH_S
from gateway.keys import Key
from tests.gateway.cli.keyboard import hearth
from tests.gateway.surfaces.house import ADMIN, house
from tests.redis_server import redis_process


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)


def made(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """A new key, with its secret."""
    assert main(["keys", "create", "--json", *words]) == 0
    key: dict[str, str] = json.loads(capsys.readouterr().out)
    return key


def test_a_key_is_made_listed_and_revoked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out == "no keys; `hearth keys create` makes one\n"
    words = "--name shop --model demo --model qwen-* --expires 30d --admin --requests-per-minute 3 --budget 20/week"
    assert main(["keys", "create", *words.split()]) == 0
    said = capsys.readouterr().out
    [secret] = re.findall(r"hearth_\S{43}", said)
    assert "shown this once" in said
    [id] = set(re.findall(r"key_[0-9a-f]{16}", said))
    assert main(["keys", "list"]) == 0
    titles, row = capsys.readouterr().out.splitlines()
    assert titles.split() == ["id", "name", "namespace", "secret", "state", "created", "may"]
    assert row.startswith(f"{id}  shop  its own    ...{secret[-4:]}  until 20")
    assert row.endswith("admin; demo, qwen-*; 3 requests/min; 20/week")
    assert secret not in row
    assert main(["keys", "revoke", id]) == 0
    assert capsys.readouterr().out == f"{id} (shop) is revoked; servers that run see it within two seconds.\n"
    main(["keys", "list", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["state"] == "revoked"
    assert stat.S_IMODE((tmp_path / "hearth.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("create --expires soon", "`expires` is seconds from now, or a time as in 2030-01-31T12:00:00Z."),
        ("create --expires 9999999d", "`expires` must be a time to come, in a hundred years at most."),
        ("create --budget 5/year", '`budget.period` must be one of day, week, month, total, not "year".'),
        ("create --concurrent 0", "`concurrent` must be an integer of at least 1, not 0."),
        ("revoke key_none", "There is no key 'key_none'; `hearth keys list` shows all."),
    ],
)
def test_what_cannot_be_is_one_sentence(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", *words.split()]) in (1, 2)
    assert capsys.readouterr().err == f"hearth keys: {told}\n"
    assert main(["keys", "list"]) == 0 and capsys.readouterr().out.startswith("no keys")


def test_a_budget_that_looks_like_an_option_is_answered_with_what_a_budget_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "create", "--budget", "-5/month"])
    assert "--budget wants AMOUNT/PERIOD: As 20/month; or day, week, total;" in capsys.readouterr().err
    assert main(["keys", "create", "--budget=-5/month"]) == 2
    assert capsys.readouterr().err == "hearth keys: `budget.amount` must be a number of at least 0, not -5.0.\n"


@pytest.mark.parametrize("expires", [1e300, 1e12, -1e12])
def test_a_time_that_no_calendar_has_hides_no_key(expires: float) -> None:
    [_, row] = table([Key(id="key_a", name="key_a", namespace="key_a", expires=expires, created=expires)], -2e12)
    assert f"until {expires:g}" in row


def test_a_store_that_cannot_be_reached_is_told_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_REDIS_URL", "redis://:sesame@127.0.0.1:1")
    assert main(["keys", "list"]) == 1
    said = capsys.readouterr().err
    assert "The keys in redis://:***@127.0.0.1:1 cannot be reached: " in said and "sesame" not in said


def test_with_a_redis_keys_are_there_and_in_no_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with redis_process() as redis:
        monkeypatch.setenv("HEARTH_REDIS_URL", redis.url)
        key = made(capsys)
        main(["keys", "list", "--json"])
        assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [key["id"]]
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_runs_takes_a_key_made_beside_it_and_lets_it_go(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.keyring.lookup.FRESH_S", 0.0)
    assert FRESH_S == 2.0, "what `hearth keys revoke` says"
    async with house(tmp_path) as here:
        status, out, _ = await hearth("keys", "create", "--json")
        key = json.loads(out)
        assert status == 0 and (await here.ask("GET", "/v1/models", key["secret"])).status_code == 200
        assert (await hearth("keys", "revoke", key["id"]))[0] == 0
        assert (await here.ask("GET", "/v1/models", key["secret"])).status_code == 401


async def test_the_other_commands_send_the_key_of_the_environment_or_of_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as here:
        status, _, told = await hearth("models", "--url", here.url)
        assert status == 1 and "Send a key" in told
        assert (await hearth("models", "--url", here.url, "--key", ADMIN))[0] == 0
        monkeypatch.setenv("HEARTH_KEY", ADMIN)
        assert (await hearth("models", "--url", here.url))[0] == 0
        assert (await hearth("chat", "--url", here.url, "hello"))[0] == 0
        assert (await hearth("cache", "show", "--url", here.url))[0] == 0


def test_the_doctor_says_whether_keys_are_configured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def told() -> str:
        main(["doctor", "--json"])
        [finding] = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["name"] == "keys"]
        return f"{finding['state']}: {finding['told']}"

    monkeypatch.setenv("HEARTH_PORT", "0")
    assert told() == "ok: none created: everybody on this machine may ask, and nobody else can"
    monkeypatch.setenv("HEARTH_HOST", "0.0.0.0")
    assert told() == "warn: none created: it will listen on this machine alone, not on 0.0.0.0"
    assert list(tmp_path.iterdir()) == []
    made(capsys)
    main(["keys", "revoke", made(capsys)["id"]])
    capsys.readouterr()
    assert told() == "ok: 1 good of 2"
    monkeypatch.setenv("HEARTH_ADMIN_KEY", ADMIN)
    assert told() == "ok: 1 good of 2, and the admin key of the settings"
    monkeypatch.setenv("HEARTH_OPEN_ACCESS", "true")
    assert told().startswith("warn: 1 good of 2")

"""What Replicate's clients cannot do without, rule by rule; the clients themselves are in the other files."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.speaker import Speaker

QUESTION = {"prompt": "hello"}
OLD_PYTHON = {"user-agent": "replicate-python/1.0.7"}
STATUSES = {"starting", "processing", "succeeded", "failed", "canceled"}


@pytest.fixture
def api(hearth: Hearth, token: str) -> Any:
    """Calls below `/replicate/v1`, with a key of its own."""

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        return hearth.ask(method, f"/replicate/v1{path}", token, **more)

    return ask


def begin(api: Any, model: str, prefer: str | None = None, **input: Any) -> dict[str, Any]:
    headers = {**OLD_PYTHON, **({"prefer": prefer} if prefer else {})}
    answer = api("POST", f"/models/{model}/predictions", json={"input": input or QUESTION}, headers=headers)
    assert answer.status_code in (201, 202), answer.text
    told: dict[str, Any] = answer.json()
    return told


def events(url: str) -> list[dict[str, Any]]:
    """What a stream says, field by field; `data` is the list of its lines."""
    answer = httpx.get(url, headers={"accept": "text/event-stream"}, timeout=30)
    assert answer.status_code == 200
    seen = []
    for block in answer.text.split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            data = [value for name, _, value in lines if name == "data"]
            seen.append({**{name: value for name, _, value in lines}, "data": data})
    return seen


@speaking("python 0.31.0", "python 1.0.7", "python 2.0.0b4")
def test_1_the_variable_replicate_base_url_leads_here(client: Speaker) -> None:
    assert client("account")["username"]


@pytest.mark.parametrize("base", ["/replicate", "/replicate/v1", "/replicate/v1/v1"])
def test_2_a_base_is_good_with_v1_without_it_and_with_two(hearth: Hearth, token: str, base: str) -> None:
    account = hearth.ask("GET", "/replicate/v1/account", token).json()
    assert hearth.ask("GET", f"{base}/account", token).json() == account
    assert hearth.ask("GET", f"{base}/models/hearth/quick", token).json()["name"] == "quick"


@pytest.mark.parametrize("prefer", [None, "wait", "wait=1", "wait=60", "respond-async"])
def test_3_a_reply_to_a_create_is_starting_or_whole(api: Any, prefer: str | None) -> None:
    for model in ("hearth/quick", "hearth/failing", "acme/count"):
        told = begin(api, model, prefer, **({"to": 3} if model == "acme/count" else {}))
        assert told["status"] in ("starting", "succeeded", "failed")
        if told["status"] == "succeeded":
            assert len(told["output"]) == (3 if model == "acme/count" else 5)


def test_4_a_reply_that_says_starting_has_no_output(api: Any) -> None:
    waited, unasked = begin(api, "hearth/slow", "wait=1"), begin(api, "hearth/quick")
    for told in (waited, unasked):
        assert (told["status"], told["output"], told["logs"], told["metrics"]) == ("starting", None, "", {})
        assert told["started_at"] is told["completed_at"] is None


def test_5_who_waits_is_answered_strictly_before_its_time_is_over(api: Any) -> None:
    def lasted(seconds: int) -> tuple[int, float]:
        began = time.monotonic()
        told = begin(api, "hearth/endless", f"wait={seconds}")
        took = time.monotonic() - began
        api("POST", f"/predictions/{told['id']}/cancel")
        return seconds, took

    with ThreadPoolExecutor(16) as pool:
        for seconds, took in pool.map(lasted, [1] * 8 + [2] * 8):
            assert took < seconds


def test_6_the_address_of_a_stream_is_whole_secret_and_needs_no_key(api: Any, hearth: Hearth) -> None:
    first, second = (begin(api, "hearth/quick")["urls"]["stream"] for _ in range(2))
    assert first.startswith(f"{hearth.url}/")
    assert sum(a != b for a, b in zip(first, second, strict=True)) > 16
    assert events(first)[-1]["event"] == "done"


def test_7_the_path_of_a_stream_is_not_that_of_files(api: Any) -> None:
    path = urlsplit(begin(api, "hearth/quick")["urls"]["stream"]).path
    assert not path.startswith("/v1/files/") and "/files/" not in path


@pytest.mark.parametrize("model", ["hearth/quick", "hearth/failing", "acme/count"])
def test_8_every_event_has_a_name_an_id_and_data(api: Any, model: str) -> None:
    told = begin(api, model, "wait", **({"to": 3} if model == "acme/count" else {}))
    said = events(told["urls"]["stream"])
    assert {event["event"] for event in said} <= {"output", "logs", "error", "done"}
    assert all(event["id"] and event["data"] for event in said)
    assert len({event["id"] for event in said}) == len(said)


def test_9_old_python_is_never_told_what_it_cannot_read(api: Any, hearth: Hearth) -> None:
    hearth.cool("booting")
    booting = begin(api, "hearth/booting")
    replies = [
        begin(api, "hearth/failing", "wait"),
        begin(api, "acme/shout", "wait", text="data:text/plain,hello"),
        booting,
        api("POST", f"/predictions/{booting['id']}/cancel", headers=OLD_PYTHON).json(),
        *api("GET", "/predictions", headers=OLD_PYTHON).json()["results"],
    ]
    for told in replies:
        assert told["status"] in STATUSES
        assert isinstance(told["version"], str) and isinstance(told["model"], str)
        assert all(isinstance(url, str) for url in told["urls"].values())
        assert told["error"] is None or isinstance(told["error"], str)


@pytest.mark.parametrize("model", ["hearth/campfire", "hearth/quick", "acme/shout", "acme/count"])
def test_10_a_version_has_all_that_python_reads(api: Any, model: str) -> None:
    id = api("GET", f"/models/{model}").json()["latest_version"]["id"]
    shown = api("GET", f"/models/{model}/versions/{id}").json()
    assert shown["id"] == id
    assert isinstance(shown["cog_version"], str) and tuple(map(int, shown["cog_version"].split("."))) >= (0, 3, 9)
    assert shown["openapi_schema"]["components"]["schemas"].keys() >= {"Input", "Output"}


def test_11_a_call_that_is_repeated_because_its_answer_was_not_heard_begins_nothing(hearth: Hearth, token: str) -> None:
    url = f"{hearth.url}/replicate/v1/models/hearth/endless/predictions"
    headers = {"authorization": f"Bearer {token}", "prefer": "wait"}
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json={"input": QUESTION}, headers=headers, timeout=httpx.Timeout(10, read=0.3))
    [one] = hearth.ask("GET", "/replicate/v1/predictions", token).json()["results"]
    hearth.ask("POST", f"/replicate/v1/predictions/{one['id']}/cancel", token)


@pytest.mark.parametrize(
    ("method", "path", "status", "more"),
    [
        ("GET", "/predictions/none", 404, {}),
        ("GET", "/no/such/route", 404, {}),
        ("PUT", "/predictions", 405, {}),
        ("POST", "/predictions", 400, {"content": b"{"}),
        ("POST", "/predictions", 422, {"json": {"version": "0" * 64, "input": {}}}),
        ("POST", "/models/hearth/quick/predictions", 422, {"json": {"input": {}}}),
        ("GET", "/account", 401, {"headers": {"authorization": "Bearer r8_wrong"}}),
        ("GET", "/predictions?cursor=nonsense", 400, {}),
        ("GET", "/streams/none", 404, {}),
    ],
)
def test_12_an_error_is_an_object_with_title_detail_and_status(
    api: Any, method: str, path: str, status: int, more: dict[str, Any]
) -> None:
    answer = api(method, path, **more)
    told = answer.json()
    assert isinstance(told, dict), told
    assert (answer.status_code, told["status"]) == (status, status), answer.text
    assert isinstance(told["title"], str) and isinstance(told["detail"], str)

"""Begin a prediction, look at it, stop it, list all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.speaker import Speaker

QUESTION = {"prompt": "hello"}
ENDED = ("succeeded", "failed", "canceled", "aborted")


def polled(client: Speaker, id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The prediction as it is once that holds; looked at often, but not for ever."""
    for _ in range(2000):
        seen: dict[str, Any] = client("get", id=id)
        if until(seen):
            return seen
    raise TimeoutError(id)


def test_what_was_begun_ends_and_says_how_long_it_took(client: Speaker) -> None:
    made = client("create", model="hearth/campfire", input={"prompt": "Tell me about a bear.", "max_tokens": 20})
    assert (made["status"], made["output"]) == ("starting", None)
    ended = client("wait", id=made["id"])
    assert ended["status"] == "succeeded" and "".join(ended["output"])
    assert ended["metrics"]["output_token_count"] <= 20
    assert ended["metrics"]["total_time"] >= ended["metrics"]["predict_time"] > 0
    assert made["created_at"] <= ended["started_at"] <= ended["completed_at"]


def test_output_only_grows(client: Speaker) -> None:
    id = client("create", model="hearth/slow", input=QUESTION)["id"]
    outputs: list[list[str]] = []

    def ended(seen: dict[str, Any]) -> bool:
        outputs.append(seen["output"] or [])
        return seen["status"] in ENDED

    whole = polled(client, id, ended)["output"]
    assert len(whole) == 30
    assert all(later[: len(sooner)] == sooner for sooner, later in itertools.pairwise(outputs))
    assert len({len(output) for output in outputs}) > 2, "it was seen while it grew"


@speaking("python 0.31.0", "python 1.0.7")
def test_an_iterator_over_what_is_polled_misses_nothing(client: Speaker) -> None:
    assert len(client("create_and_iterate", model="hearth/slow", input=QUESTION)) == 30


def test_what_is_canceled_keeps_what_it_said(client: Speaker) -> None:
    id = client("create", model="hearth/endless", input=QUESTION)["id"]
    seen = polled(client, id, lambda seen: bool(seen["output"]))
    canceled = client("cancel", id=id)
    assert canceled["status"] == "canceled"
    assert canceled["output"][: len(seen["output"])] == seen["output"]
    assert client("cancel", id=id)["status"] == "canceled", "once more changes nothing"


def test_what_is_canceled_while_its_model_boots_never_ran(client: Speaker, hearth: Hearth) -> None:
    hearth.cool("booting")
    id = client("create", model="hearth/booting", input=QUESTION)["id"]
    canceled = client("cancel", id=id)
    # `aborted` is only for those who know it: others would poll for ever, or fail to read it.
    assert canceled["status"] == ("aborted" if client.name == "python 2.0.0b4" else "canceled")
    assert canceled.get("started_at") is None


def test_all_are_listed_newest_first(client: Speaker) -> None:
    made = [client("create", model="hearth/quick", input=QUESTION)["id"] for _ in range(3)]
    assert client("pages") == [made[::-1]]


def test_more_than_a_page_are_listed_page_by_page(client: Speaker, hearth: Hearth, token: str) -> None:
    made = [
        hearth.ask("POST", "/replicate/v1/models/hearth/quick/predictions", token, json={"input": QUESTION}).json()
        for _ in range(101)
    ]
    first, second = client("pages")
    assert (len(first), len(second)) == (100, 1)
    assert [*first, *second] == [each["id"] for each in reversed(made)]

"""`stream`: an answer while it is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.speaker import Raised, Speaker
from tests.serving import ask_until

EVENTS = ("python 0.31.0", "python 1.0.7", "node 1.4.0")
"""Those that read the event stream; the second major version of Python's polls instead."""


def text(events: list[list[str]]) -> str:
    return "".join(data for event, data in events if event == "output")


def test_a_stream_says_what_a_run_gives(client: Speaker) -> None:
    question = {"prompt": "Tell me a story about an owl.", "max_tokens": 60, "seed": 2}
    events = client("stream", model="hearth/campfire", input=question)
    assert text(events) == "".join(client("run", model="hearth/campfire", input=question))
    assert events[-1] == ["done", "{}"]


@speaking(*EVENTS)
def test_a_stream_comes_piece_by_piece(client: Speaker) -> None:
    events = client("stream", model="hearth/slow", input={"prompt": "hello"})
    assert [event for event, _ in events].count("output") >= 20


@speaking(*EVENTS)
def test_text_that_clients_stumble_over_arrives(client: Speaker) -> None:
    """Python's reader takes any line break for the end of a line, so it is given another; Node's takes all."""
    said = text(client("stream", model="hearth/awkward", input={"prompt": "hello"}))
    if client.name.startswith("node"):
        assert said == "https://a.example is\u2028a\nline\v."
    else:
        assert said == "https://a.example is\na\nline\n."


@speaking(*EVENTS)
def test_a_stream_of_a_model_that_fails_says_so(client: Speaker) -> None:
    with pytest.raises(Raised, match="detail"):
        client("stream", model="hearth/failing", input={"prompt": "hello"})


@speaking("python 0.31.0", "python 1.0.7")
def test_a_stream_can_be_read_after_the_end(client: Speaker) -> None:
    made = client("create", model="hearth/quick", input={"prompt": "hello"})
    ended = client("wait", id=made["id"])
    assert text(client("read", id=made["id"])) == "".join(ended["output"])


@speaking(*EVENTS)
def test_a_stream_ends_when_its_prediction_is_canceled(client: Speaker, hearth: Hearth, token: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(client, "stream", model="hearth/endless", input={"prompt": "hello"})
        ask_until(lambda: bool(hearth.ask("GET", "/replicate/v1/predictions", token).json()["results"]), 20)
        [running] = hearth.ask("GET", "/replicate/v1/predictions", token).json()["results"]
        hearth.ask("POST", f"/replicate/v1/predictions/{running['id']}/cancel", token)
        assert reading.result(20)[-1] == ["done", '{"reason":"canceled"}']

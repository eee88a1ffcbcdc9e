"""`run`: one call, and the whole answer."""

from __future__ import annotations

import pytest

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.speaker import Raised, Speaker

WAITING = ("python 1.0.7", "python 2.0.0b4", "node 1.4.0")
"""Those whose `run` asks to be kept waiting."""
STORY = {"prompt": "Tell me a story about a fox.", "max_tokens": 60, "seed": 1}


def test_a_model_on_vllm_tells_the_same_story_to_every_client(client: Speaker, hearth: Hearth, token: str) -> None:
    answer = hearth.ask(
        "POST",
        "/v1/chat/completions",
        token,
        json={
            "model": "campfire",
            "messages": [{"role": "user", "content": STORY["prompt"]}],
            "max_tokens": 60,
            "seed": 1,
        },
    )
    story = answer.json()["choices"][0]["message"]["content"]
    assert "fox" in story
    assert "".join(client("run", model="hearth/campfire", input=STORY)) == story


def test_a_pinned_version_gives_all_of_its_answer(client: Speaker) -> None:
    """0.31.0 iterates over what it polls, which must not begin before it looks."""
    [version] = client("versions", name="hearth/quick")
    output = client("run", model=f"hearth/quick:{version}", input={"prompt": "hello"})
    assert len(output) == 5


@speaking(*WAITING)
def test_an_answer_that_takes_longer_than_the_wait_is_still_whole(client: Speaker) -> None:
    """The wait ends half a second sooner: what came until then is never taken for all of it."""
    wait = {"mode": "block", "timeout": 1} if client.name.startswith("node") else 1
    assert len(client("run", model="hearth/slow", input={"prompt": "hello"}, wait=wait)) == 30


def test_an_answer_that_takes_long_is_whole(client: Speaker) -> None:
    assert len(client("run", model="hearth/slow", input={"prompt": "hello"})) == 30


def test_a_model_that_fails_says_so(client: Speaker) -> None:
    with pytest.raises(Raised) as raised:
        client("run", model="hearth/failing", input={"prompt": "hello"})
    assert raised.value.type == ("Error" if client.name.startswith("node") else "ModelError")


def test_an_output_that_looks_like_an_address_is_text(client: Speaker) -> None:
    """Clients take a string that begins with `https:` for a file, and fetch it."""
    output = client("run", model="hearth/awkward", input={"prompt": "hello"})
    assert "".join(output) == "https://a.example is\u2028a\r\nline\v."

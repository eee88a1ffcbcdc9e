"""What is told of a model as it boots."""

from __future__ import annotations

from engines.base import State
from gateway.cli.story import Story


def test_a_boot_is_told_stage_by_stage_and_summed_up() -> None:
    story = Story("campfire")
    assert list(story.hear(State.BOOTING, "starting", 0.0)) == ["campfire: starting"]
    assert list(story.hear(State.BOOTING, "importing vLLM", 0.01)) == ["campfire: importing vLLM"]
    assert list(story.hear(State.BOOTING, "importing vLLM", 2.0)) == []
    assert story.status(3.4) == "campfire: importing vLLM (3 s)"
    assert list(story.hear(State.BOOTING, "loading the weights", 4.1)) == ["campfire: loading the weights"]
    assert list(story.hear(State.WARM, "ready", 9.8)) == [
        "campfire: warm in 9.8 s (importing vLLM 4.1, loading the weights 5.7)"
    ]
    assert story.status(10.0) == ""


def test_a_cold_model_has_nothing_to_tell() -> None:
    story = Story("campfire")
    assert list(story.hear(State.COLD, "waiting for the first request", 0.0)) == []
    assert story.status(1.0) == ""


def test_each_boot_counts_from_its_own_beginning() -> None:
    story = Story("campfire")
    list(story.hear(State.BOOTING, "loading", 0.0))
    list(story.hear(State.WARM, "ready", 2.0))
    assert list(story.hear(State.BOOTING, "loading", 60.0, "It was killed.")) == [
        "campfire: died: It was killed; starting it again",
        "campfire: loading",
    ]
    assert list(story.hear(State.WARM, "ready", 63.0)) == ["campfire: warm in 3.0 s (loading 3.0)"]


def test_a_model_that_breaks_says_why_once() -> None:
    story = Story("campfire")
    list(story.hear(State.BOOTING, "loading", 0.0))
    assert list(story.hear(State.BROKEN, "No room.", 1.0)) == ["campfire: broken: No room."]
    assert list(story.hear(State.BROKEN, "No room.", 2.0)) == []

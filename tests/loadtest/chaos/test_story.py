"""Whatever is lost, doubled or made up shows in the story that a reader puts together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.chaos.story import Story, Violation, judge
from loadtest.chaos.wire import Frame


def frame(position: str, event: str = "delta", n: int = 1, **data: Any) -> Frame:
    last = int(position.rpartition("-")[2])
    return Frame(position, event, json.dumps({"o": last - n + 1, "n": n, **data}))


def chunk(id: str, content: str) -> Frame:
    return Frame(id, "", json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]}))


def told(*frames: Frame) -> Story:
    story = Story()
    for each in frames:
        story.hear(each)
    return story


BEGUN = (frame("e-0", "opened"), frame("e-2", n=2, c=0, d="one"))


def test_a_story_is_its_deltas_in_order() -> None:
    story = told(*BEGUN, frame("e-3", c=0, d=" two"), frame("e-4", "end", state="finished"))
    assert (story.text, story.position, story.ended) == ("one two", "e-4", "finished")
    judge(story, "one two")


@pytest.mark.parametrize("late", ["e-2", "e-1"])
def test_what_comes_again_is_doubled(late: str) -> None:
    with pytest.raises(Violation, match="doubled"):
        told(*BEGUN, frame(late, c=0, d="one"))


def test_what_is_passed_over_is_lost() -> None:
    with pytest.raises(Violation, match="lost"):
        told(*BEGUN, frame("e-4", c=0, d=" two"))


def test_a_story_begins_at_its_beginning() -> None:
    with pytest.raises(Violation, match="lost"):
        told(frame("e-1", "opened"))


def test_an_id_is_that_of_the_last_event_in_its_frame() -> None:
    with pytest.raises(Violation, match="misnamed"):
        told(Frame("e-5", "delta", '{"o":0,"n":1,"c":0}'))


def test_a_new_epoch_goes_on_and_is_counted() -> None:
    story = told(*BEGUN, frame("f-3", c=0, d=" two"))
    assert (story.position, story.renewals) == ("f-3", 1)


def test_a_position_that_is_refused_begins_the_story_anew() -> None:
    story = told(*BEGUN)
    story.restart()
    assert story.position is None and story.text == ""
    story.hear(frame("f-0", "opened"))


def test_a_failure_ends_it_with_its_code() -> None:
    assert told(*BEGUN, frame("e-3", "end", state="failed", error={"code": "engine_died"})).ended == "engine_died"
    assert told(*BEGUN, frame("e-3", "end", state="canceled")).ended == "canceled"


def test_being_sent_away_is_no_end() -> None:
    story = told(*BEGUN, Frame("", "cut", '{"code":"draining"}'))
    assert (story.ended, story.sent_away, story.position) == (None, "draining", "e-2")


def test_chunks_go_on_in_the_other_dialect() -> None:
    story = Story()
    for each in (chunk("e-1", ""), chunk("e-2", "one"), chunk("e-3", " two")):
        story.hear_chunk(each)
    story.hear(frame("e-4", c=0, d=" three"))
    assert story.text == "one two three"


def test_a_chunk_that_comes_again_is_doubled() -> None:
    story = Story()
    story.hear_chunk(chunk("e-2", "one"))
    with pytest.raises(Violation, match="doubled"):
        story.hear_chunk(chunk("e-2", "one"))


def test_an_error_among_chunks_ends_the_log_or_the_connection_alone() -> None:
    story, error = Story(), '{"error":{"code":"draining"}}'
    story.hear_chunk(Frame("", "", error))
    assert (story.ended, story.sent_away) == (None, "draining")
    story.hear_chunk(Frame("e-2", "", error.replace("draining", "engine_died")))
    assert story.ended == "engine_died"


def test_a_lane_goes_on_where_its_reader_was() -> None:
    story = told(*BEGUN)
    story.attach(3)
    for wrong, name in ((2, "doubled"), (4, "lost")):
        with pytest.raises(Violation, match=name):
            story.attach(wrong)


@pytest.mark.parametrize("truth", ["one two", "on", "onE"])
def test_another_text_is_no_truth(truth: str) -> None:
    with pytest.raises(Violation, match="different: at"):
        judge(told(*BEGUN), truth)

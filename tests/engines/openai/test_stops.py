"""Stop strings where an answer goes on: as vLLM heeds them, and never given out."""

from __future__ import annotations

import pytest

from engines.openai.stops import Stops


def fed(stops: Stops, *pieces: str) -> tuple[str, str | None]:
    """All that is given out, and what ended it."""
    text = ""
    for index, piece in enumerate(pieces, 1):
        given, stop = stops.feed(piece, 1, ended=index == len(pieces))
        text += given
        if stop is not None:
            return text, stop
    return text, None


def test_without_stop_strings_nothing_is_held_back() -> None:
    stops = Stops([], "", 0, 0)
    assert [stops.feed(piece, 1, ended=False) for piece in ("a", "bc")] == [("a", None), ("bc", None)]


def test_what_may_become_a_stop_string_is_held_back_until_it_is_none() -> None:
    stops = Stops(["END"], "", 0, 0)
    assert [stops.feed(piece, 1, ended=False)[0] for piece in ("abEN", "x")] == ["ab", "E"]
    assert stops.feed("", 1, ended=True) == ("Nx", None)


def test_a_stop_string_across_the_seam_ends_the_answer_before_it() -> None:
    assert fed(Stops(["END"], "oncE", 2, 4), "N", "D of it") == ("c", "END")


def test_what_was_held_back_is_said_where_no_stop_string_comes() -> None:
    assert fed(Stops(["END"], "oncE", 2, 4), "N", "ough") == ("cENough", None)


@pytest.mark.parametrize(("included", "text"), [(False, "a "), (True, "a stop")])
def test_the_first_to_be_whole_ends_it_and_is_said_only_when_asked_for(included: bool, text: str) -> None:
    assert fed(Stops(["stop now", "stop"], "", 0, 0, included=included), "a stop now") == (text, "stop")


def test_no_stop_string_ends_an_answer_that_is_too_short() -> None:
    assert fed(Stops(["b"], "", 0, 0, least=2), "a", "b", "c", "b", "d") == ("abc", "b")

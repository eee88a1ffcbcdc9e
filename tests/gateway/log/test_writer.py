"""What a writer makes of answers that come late, after it had gone on without Redis."""

from __future__ import annotations

from gateway.log.base import Retention
from gateway.log.local import Log
from gateway.log.writer import RedisWriter
from tests.gateway.log.contract import a_generation, pieces


class Deaf:
    """Carries nothing: the test says what Redis says, and when."""

    def __init__(self) -> None:
        self.away = False

    def carry(self, writer: RedisWriter) -> None: ...


def a_writer(scribe: Deaf) -> RedisWriter:
    return RedisWriter(Log(a_generation(), "one"), "a.1", scribe, Retention(), kept=-1)


def test_an_answer_that_comes_after_redis_was_given_up_takes_nothing_of_what_was_staged_since() -> None:
    scribe = Deaf()
    writer = a_writer(scribe)
    writer.stage(*pieces(3))
    assert writer.events() == pieces(3)
    scribe.away = True
    writer.stage(*pieces(1, 3))
    scribe.away = False
    writer.stage(*pieces(1, 4))
    # The answer to the first three, at last.
    writer.confirm(2, 0)
    assert list(writer.log.between(0, 9)) == pieces(4)
    assert writer.waiting
    assert writer.events() == pieces(2, 3)
    writer.confirm(4, 0)
    assert list(writer.log.between(0, 9)) == pieces(5)
    assert (writer.waiting, writer.alone) == (False, False)


def test_positions_of_what_came_through_after_all_stay_good() -> None:
    scribe = Deaf()
    writer = a_writer(scribe)
    writer.stage(*pieces(3))
    writer.events()
    scribe.away = True
    writer.stage(*pieces(1, 3))
    assert writer.log.epoch != "one"
    assert writer.log.past == {"one": -1}
    writer.confirm(2, 0)
    assert writer.log.past == {"one": 2}
    assert writer.alone


def test_what_redis_confirms_is_shown_once_also_when_its_channel_was_quicker() -> None:
    writer = a_writer(Deaf())
    writer.stage(*pieces(2))
    writer.events()
    writer.stage(*pieces(1, 2))
    writer.log.extend(pieces(2))
    writer.confirm(1, 0)
    assert list(writer.log.between(0, 9)) == pieces(2)
    assert writer.events() == pieces(1, 2)

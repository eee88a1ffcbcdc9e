"""A server ends at its start if none of its models can be what they were named; later no model ends it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from time import monotonic, time

from engines.base import State
from engines.errors import EngineError
from engines.seat import Place, Seat
from gateway.cli.herald import Herald
from gateway.cli.terminal import Screen
from gateway.settings import load
from tests.gateway.puppet import Puppet
from tests.waiting import until


class Server:
    """Two models, and whether it was given up."""

    port = 1

    def __init__(self) -> None:
        self.seats: Mapping[str, Seat] = {
            name: Seat(Place(name, name, Puppet()), monotonic, time) for name in ("one", "two")
        }
        self.models: Sequence[str] = list(self.seats)
        self.given_up = False

    def give_up(self) -> None:
        self.given_up = True

    def misname(self, name: str, boots: int = 1) -> None:
        """A boot finds that there is no such model."""
        seat = self.seats[name]
        seat.boots = boots
        seat.tell(State.BOOTING, "starting")
        seat.error = EngineError("bad_model_source", "There is no such model.")
        seat.tell(State.BROKEN, seat.error.message)


async def told(server: Server, *misnamed: str, boots: int = 1, preload: bool = True) -> Herald:
    settings = load({"models": "one=scripted: two=scripted:", "preload": preload})
    herald = Herald(settings, Screen(out := io.StringIO()))
    herald.listening(server)
    for name in misnamed:
        server.misname(name, boots)
    await until(lambda: all(f"{name}: " in out.getvalue() for name in misnamed))
    await herald.stopped()
    return herald


async def test_a_server_none_of_whose_models_can_be_is_ended_at_its_start() -> None:
    server = Server()
    herald = await told(server, "one", "two")
    assert server.given_up and herald.fault is not None


async def test_one_model_that_cannot_be_ends_nothing_while_another_is_served() -> None:
    server = Server()
    await told(server, "one")
    assert not server.given_up


async def test_what_is_found_later_or_by_a_request_ends_nothing() -> None:
    for boots, preload in ((2, True), (1, False)):
        server = Server()
        await told(server, "one", "two", boots=boots, preload=preload)
        assert not server.given_up

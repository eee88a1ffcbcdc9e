"""One turn: a generation begun, read by all, measured for a while, and ended."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from loadtest import processes
from loadtest.address import Address
from loadtest.fanout.readers import Readers
from loadtest.generations import begin, end
from loadtest.report import Spread
from loadtest.servers import Server, ServerError

_JOIN_S: Final = 240.0
_FLOW_S: Final = 60.0
"""How long it may take until everybody reads what is new."""
_END_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn measured. Shares are of one core.

    `lag` is from the time that the oldest token of a frame names to the frame's arrival, of each frame at each reader.
    """

    readers: int
    seconds: float
    frames: int
    events: int
    """Of all readers together, as the frames are."""
    cpu_us: float
    """Of the server, for a frame."""
    server_share: float
    client_share: float
    others_share: float
    lag: Spread
    faults: Mapping[str, int]

    @property
    def frames_per_second(self) -> float:
        """At all readers together."""
        return self.frames / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """At one reader."""
        return self.events / self.readers / self.seconds

    @property
    def tokens_per_frame(self) -> float:
        """How many tokens had come together by the time that they were sent."""
        return self.events / self.frames if self.frames else math.nan

    @property
    def failed(self) -> bool:
        """Somebody did not get everything once and in order, or nobody got anything."""
        return bool(self.faults) or not self.frames


def turn(server: Server, readers: int, seconds: float, *, lag: bool = False) -> Turn:
    """Measure so many readers for so long. Raises ServerError, OSError."""
    address = Address.of(server.url)
    path = begin(address)
    with Readers(address, path, readers) as crowd:
        crowd.join(_JOIN_S)
        if not crowd.wait(lambda reader: reader.next > 0, _FLOW_S):
            raise ServerError(f"not everybody read something in {_FLOW_S:g} s")
        came = max(crowd.ends)
        if not crowd.wait(lambda reader: reader.next > came, _FLOW_S):
            raise ServerError(f"not everybody read something new in {_FLOW_S:g} s")
        crowd.lags = array("d") if lag else None
        before = _look(server, crowd)
        crowd.read(seconds)
        after = _look(server, crowd)
        lags, crowd.lags = crowd.lags, None
        end(address, path)
        if not crowd.wait(lambda reader: reader.ended, _END_S) or len(crowd.ends) > 1:
            crowd.faults["no_end"] += 1
    return _figures(readers, before, after, lags or (), crowd.faults)


class _Moment(NamedTuple):
    now: float
    server: float
    own: float
    machine: float
    frames: int
    events: int


def _look(server: Server, crowd: Readers) -> _Moment:
    used = sum(each.cpu_seconds for each in processes.look(server.pid).values())
    return _Moment(monotonic(), used, time.process_time(), processes.busy(), crowd.frames, crowd.events)


def _figures(
    readers: int, before: _Moment, after: _Moment, lags: array[float] | tuple[()], faults: Mapping[str, int]
) -> Turn:
    seconds, server, own, machine, frames, events = (now - then for now, then in zip(after, before, strict=True))
    return Turn(
        readers=readers,
        seconds=seconds,
        frames=int(frames),
        events=int(events),
        cpu_us=server / max(1, frames) * 1e6,
        server_share=server / seconds,
        client_share=own / seconds,
        others_share=max(0.0, machine - server - own) / seconds,
        lag=Spread.of(lags),
        faults=dict(faults),
    )

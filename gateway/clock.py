"""Time, as a part that tests can turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """`wall` gives unix seconds, for people; `steady` gives seconds that never jump, for durations."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic

"""How this process collects garbage: what it began with is never looked at again, and what it makes seldom.

A gateway makes many objects that live as long as a stream and few cycles. By Python's own settings the collector
walks through all streams again and again: with ten thousand readers, half of what a frame costs.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 20_000
"""Objects more than were freed, after which the young are looked at: some megabytes."""
_OLDER: Final = 20
_OLDEST: Final = 50


def settle() -> None:
    """Call when everything is built, and before the first connection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDEST)

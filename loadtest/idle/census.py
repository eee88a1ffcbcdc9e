"""A module run in this process, which writes what it holds to a file whenever SIGUSR1 comes.

`python -m loadtest.idle.census FILE MODULE ...`: by type what the garbage collector sees, and by line all that was
allocated there since the first signal.
"""

from __future__ import annotations

import functools
import gc
import json
import runpy
import signal
import sys
import threading
import tracemalloc
import types
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

_NAMED: Final = (
    types.AsyncGeneratorType,
    types.CoroutineType,
    types.FunctionType,
    types.GeneratorType,
    types.MethodType,
)


def census() -> dict[str, dict[str, list[int]]]:
    """Number and bytes, by type and by line."""
    gc.collect()
    kinds: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in gc.get_objects():
        of = kinds[label(each)]
        of[0] += 1
        of[1] += sys.getsizeof(each, 0)
    lines = tracemalloc.take_snapshot().statistics("lineno")
    return {
        "types": dict(kinds),
        "lines": {
            f"{line.traceback[0].filename}:{line.traceback[0].lineno}": [line.count, line.size] for line in lines
        },
    }


def label(each: Any) -> str:
    """Its type, and of what runs or is to be called its name."""
    kind = type(each).__name__
    if isinstance(each, functools.partial):
        return f"partial of {getattr(each.func, '__qualname__', type(each.func).__name__)}"
    if isinstance(each, _NAMED):
        return f"{kind} {each.__qualname__}"
    return kind


def count(file: Path) -> None:
    """Write a census for each signal."""
    made = file.with_suffix(".made")
    while signal.sigwait({signal.SIGUSR1}):
        # From the first time on: what was there before is of no interest, and tracing it would take long.
        tracemalloc.start()
        made.write_text(json.dumps(census()), encoding="utf-8")
        # Whoever waits for it sees it whole.
        made.rename(file)


def main() -> None:
    """Count on a signal, and run the module as if it alone had been called."""
    file, module, *words = sys.argv[1:]
    # A handler would run when the loop wakes, and idle readers do not wake it: a thread takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    threading.Thread(target=count, args=(Path(file),), daemon=True).start()
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

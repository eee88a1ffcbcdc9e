"""Runs a module as `python -m` does, and when it gets SIGUSR1 says what its heap holds.

`python -m loadtest.soak.inside FILE MODULE WORD...` writes FILE anew at each signal. It is no metric of the
server's own, because to look at every object holds up the loop for a tenth of a second.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Final

_KINDS: Final = 400


def main() -> None:
    """Run it; returns when it does."""
    file, module, *words = sys.argv[1:]
    signal.signal(signal.SIGUSR1, lambda *_: tell(Path(file)))
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def tell(file: Path) -> None:
    """Write down how many objects there are, of which kinds, and how many tasks are not done."""
    objects = gc.get_objects()
    kinds = Counter(map(type, objects))
    tasks = sum(not each.done() for each in objects if type(each) is asyncio.Task)
    names: Counter[str] = Counter()
    for kind, count in kinds.items():
        names[f"{kind.__module__}.{kind.__qualname__}"] += count
    told = {"objects": len(objects), "tasks": tasks, "kinds": dict(names.most_common(_KINDS))}
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(told), encoding="utf-8")
    # Whoever waits for the file finds it whole.
    os.replace(fresh, file)


if __name__ == "__main__":
    main()

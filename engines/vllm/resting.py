"""How an engine rests while its model is cold: it ends, or vLLM puts it to sleep and its processes stay."""

from __future__ import annotations

from typing import Any, Final, Literal

from engines.base import Knobs
from engines.errors import EngineError

Level = Literal[1, 2]
"""Of vLLM's sleep. 1: the weights wait in the machine's memory. 2: they are let go, and read from the disk again."""

_LEVELS: Final[dict[str, Level]] = {"1": 1, "2": 2}


def split(model: str, knobs: Knobs) -> tuple[Level | None, Knobs]:
    """From `rest` and `sleep_level` the level at which the engine sleeps, None where it ends; and vLLM's own knobs.

    Raises EngineError `bad_model_source`.
    """
    rest, level = knobs.get("rest", "stop"), knobs.get("sleep_level")
    others = {name: value for name, value in knobs.items() if name not in ("rest", "sleep_level")}
    if rest not in ("stop", "sleep"):
        raise EngineError("bad_model_source", f"{model}: rest={rest} is no way to rest; write rest=stop or rest=sleep.")
    if rest == "stop":
        if level is not None:
            raise EngineError("bad_model_source", f"{model}: sleep_level goes with rest=sleep; leave it out.")
        return None, others
    if level is not None and level not in _LEVELS:
        raise EngineError("bad_model_source", f"{model}: sleep_level={level} is no level; write 1 or 2.")
    return _LEVELS[level or "1"], others


async def put_to_sleep(engine: Any, level: Level) -> None:
    """Give the GPU's memory back. `engine` is vLLM's asynchronous one, which raises whatever it does."""
    await engine.sleep(level)


async def wake(engine: Any, level: Level) -> None:
    """Take memory again, and the weights."""
    if level == 1:
        await engine.wake_up()
        return
    # Room for the weights first: the KV cache has all the rest.
    await engine.wake_up(["weights"])
    await engine.collective_rpc("reload_weights")
    await engine.wake_up(["kv_cache"])

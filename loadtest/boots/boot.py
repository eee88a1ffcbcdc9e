"""One boot as somebody sees it who asks at once and waits: when the server listens, what it tells, the first token."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from loadtest.servers import MODEL, ServerError

_ASK_S = 180.0
_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Boot:
    """Seconds since the boot began: until the server took a connection, and until the first token."""

    listening: float
    first_token: float
    stages: list[tuple[str, float]] = field(default_factory=list)
    """What Hearth told meanwhile, each with when that was. What took no time is passed over."""
    cpu: float = 0.0
    """Seconds of CPU that the server's processes used meanwhile: on a busy machine the time says less."""

    def spans(self) -> dict[str, float]:
        """How long each stage took."""
        told = [*self.stages, ("", self.first_token)]
        return {stage: ends - began for (stage, began), (_, ends) in pairwise(told)}


def watch(port: int, began: float, lives: Callable[[], bool]) -> Boot:
    """Ask the server at that port of this machine, as soon as it listens, if it `lives`. Raises ServerError."""
    _wait_until_it_listens(port, began, lives)
    listening = time.monotonic() - began
    stages = []
    for line in _ask(port):
        if line.startswith(": booting "):
            stages.append((line.partition(": ")[2].partition(": ")[2], time.monotonic() - began))
        elif line.startswith("data: {") and _has_text(line):
            return Boot(listening, time.monotonic() - began, stages)
    raise ServerError("The answer had no token.")


def _wait_until_it_listens(port: int, began: float, lives: Callable[[], bool]) -> None:
    while lives() and time.monotonic() - began < _ASK_S:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(_LOOK_S)
    raise ServerError(f"Nobody listened after {time.monotonic() - began:.0f} s; the server's log says more.")


def _ask(port: int) -> Iterator[str]:
    """The lines of a streamed answer."""
    body = {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 2, "stream": True, "ignore_eos": True}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_S)
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ServerError(f"{answer.status}: {answer.read(500).decode(errors='replace')}")
        for line in answer:
            yield line.decode().rstrip()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"The answer broke off: {error!r}.") from error
    finally:
        connection.close()


def _has_text(line: str) -> bool:
    choices = json.loads(line.removeprefix("data: ")).get("choices")
    return bool(choices and choices[0]["text"])

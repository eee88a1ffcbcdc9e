"""The guard: what a token costs a real server, beside a bare socket writer, in turns."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from loadtest import processes
from loadtest.address import Address
from loadtest.exchange import post
from loadtest.guard.readers import Heard, hear
from loadtest.guard.scenes import SCENES, Scene, Turn, Verdict
from loadtest.plan import PlanError
from loadtest.servers import Recipe, Server, ServerError, running

MOST_ROUNDS: Final = 20

_CLOSE: Final = "connection: close\r\n"
_READY: Final = "/1/0/6/0"
_PREFILL_MS: Final = 400
"""The first token waits until all readers are there."""
_SEEN: Final = 0.3
"""The share of its frames that a turn needs at least behind the moment when all readers were there."""
_TRIES: Final = 5


class Stage(NamedTuple):
    """Both servers."""

    hearth: Server
    floor: Server


def guard(rounds: int, folder: Path, say: Callable[[str], None]) -> list[Verdict]:
    """Start both, take turns, and end both; their logs are left in that folder. Raises ServerError."""
    if not 0 < rounds <= MOST_ROUNDS:
        raise PlanError(f"rounds must be from 1 to {MOST_ROUNDS}, not {rounds}")
    folder.mkdir(parents=True, exist_ok=True)
    with _stage(folder) as stage:
        return [_judged(scene, rounds, stage, say) for scene in SCENES]


def _judged(scene: Scene, rounds: int, stage: Stage, say: Callable[[str], None]) -> Verdict:
    hearth: list[Turn] = []
    floor: list[Turn] = []
    for number in range(rounds):
        ours = _heard(scene, number, stage.hearth)
        hearth.append(_turn(ours))
        floor.append(_turn(_floor(scene, round(ours.bytes / ours.frames), stage.floor)))
        say(f"{scene.name}: {hearth[-1].cpu_us:.1f} us a frame, bare {floor[-1].cpu_us:.1f} us")
    return Verdict(scene, hearth, floor)


def _heard(scene: Scene, number: int, server: Server) -> Heard:
    """A turn in which much was still to come when all readers were there. Raises ServerError."""
    for attempt in range(_TRIES):
        heard = _hearth(scene, f"{number} {attempt}", server)
        if heard.frames >= _SEEN * scene.readers * scene.frames:
            return heard
    raise ServerError("this machine is too busy: the first answers have ended before the last ones begin")


def _turn(heard: Heard) -> Turn:
    return Turn(heard.frames, heard.cpu_s / heard.frames * 1e6)


def _hearth(scene: Scene, name: str, server: Server) -> Heard:
    address = Address.of(server.url)
    if scene.shared:
        path = f"/v1/streams/{_begun(address, _body(scene, name))}"
        asked = f"GET {path} HTTP/1.1\r\nhost: {address.host}\r\naccept: text/event-stream\r\n{_CLOSE}\r\n".encode()
        questions, end = [asked] * scene.readers, b"event: end\n"
    else:
        bodies = [_body(scene, f"{name} {reader}") for reader in range(scene.readers)]
        questions = [post(address, "/v1/chat/completions", body, _CLOSE) for body in bodies]
        end = b"data: [DONE]\n"
    return uvloop.run(hear(address, questions, end, partial(processes.cpu_seconds, server.pid)))


def _floor(scene: Scene, size: int, server: Server) -> Heard:
    path = f"/{scene.readers}/{scene.frames}/{size}/{scene.token_ms:.0f}"
    asked = f"GET {path} HTTP/1.1\r\n\r\n".encode()
    spent = partial(processes.cpu_seconds, server.pid)
    return uvloop.run(hear(Address.of(server.url), [asked] * scene.readers, b"~\n\n", spent, go=b"\n"))


def _body(scene: Scene, content: str) -> bytes:
    asked = {"model": _model(scene), "messages": [{"role": "user", "content": content}], "max_tokens": scene.frames}
    return json.dumps({**asked, "stream": True}).encode()


def _model(scene: Scene) -> str:
    return "shared" if scene.shared else "single"


def _begun(address: Address, body: bytes) -> str:
    """Start a generation; its id."""
    connection = HTTPConnection(*address, timeout=10)
    try:
        connection.request("POST", "/v1/streams", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    if answer.status != 201:
        raise ServerError(f"no generation was begun: {answer.status} {told[:300]!r}")
    return str(json.loads(told)["id"])


@contextmanager
def _stage(folder: Path) -> Iterator[Stage]:
    floor = Recipe("floor", [sys.executable, "-m", "loadtest.guard.floor", "{port}"], _READY)
    # Nothing but `max_tokens` ends an answer.
    sources = [
        f"{_model(scene)}=scripted:?prefill_ms={_PREFILL_MS}&token_ms={scene.token_ms}&tokens=1000000"
        for scene in SCENES
    ]
    models = [word for source in sources for word in ("--model", source)]
    command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", *models]
    with ExitStack() as stack:
        yield Stage(
            stack.enter_context(running(Recipe("hearth", command, "/readyz"), folder)),
            stack.enter_context(running(floor, folder)),
        )

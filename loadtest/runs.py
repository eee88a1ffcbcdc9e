"""One run: drive a plan against a server and measure both."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from loadtest import processes
from loadtest.address import Address
from loadtest.clients import Tell, ready
from loadtest.figures import Figures, Load
from loadtest.plan import MOST_CLIENTS, Plan, PlanError
from loadtest.record import Record
from loadtest.servers import ServerError
from loadtest.surfaces.table import body

_ANSWER_S: Final = 15.0


def run(
    plan: Plan, url: str, pid: int | None, clients: int = 1, tell: Tell | None = None, behind: int | None = None
) -> Figures:
    """Return what the plan measured at a server, with its processes' use when its pid is known.

    `behind` is the process of the server that it relays to, if it does.
    Raises PlanError, ServerError, ClientError.
    """
    if not 0 < clients <= MOST_CLIENTS:
        raise PlanError(f"clients must be more than 0 and at most {MOST_CLIENTS}, not {clients}")
    address = Address.of(url)
    with ready(address, clients) as go, _watchable(plan, address) as plan:
        before = processes.look(pid, behind) if pid else {}
        begun, busy = time.perf_counter(), processes.busy()
        done = go(plan, tell)
        seconds, busy = time.perf_counter() - begun, processes.busy() - busy
        after = processes.look(pid, behind) if pid else {}
    record = Record(plan.objective)
    for each in done:
        record.add(each.record)
    load = Load([each.cpu_seconds for each in done], busy)
    return Figures.of(record, seconds, load, processes.used(before, after))


@contextmanager
def _watchable(plan: Plan, address: Address) -> Iterator[Plan]:
    """Begin the generations that are to be watched, and stop what is left of them."""
    if plan.surface != "watch":
        yield plan
        return
    connection = http.client.HTTPConnection(*address, timeout=_ANSWER_S)
    ids: list[str] = []
    try:
        for number in range(plan.generations):
            ids.append(_begin(connection, plan, number))
        yield replace(plan, watched=tuple(ids))
    finally:
        with suppress(OSError, http.client.HTTPException):
            for id in ids:
                connection.request("DELETE", f"/v1/streams/{id}")
                connection.getresponse().read()
        connection.close()


def _begin(connection: http.client.HTTPConnection, plan: Plan, number: int) -> str:
    asked = json.dumps(body(plan, plan.work.ask(number)))
    try:
        connection.request("POST", "/v1/streams", asked, {"content-type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"no generation was begun: {type(error).__name__}") from error
    if answer.status != 201:
        raise ServerError(f"no generation was begun: {answer.status} {told[:300]!r}")
    return str(json.loads(told)["id"])

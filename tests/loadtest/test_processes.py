"""A server's use is that of all its processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from loadtest import processes

FAMILY = """
import multiprocessing, sys, time
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until: pass
    print("burnt", flush=True)
    sys.stdin.readline()
    time.sleep(60)
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    child = context.Process(target=burn, args=(0.3,))
    child.start()
    child.join()
"""


@contextmanager
def family() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, 9)


def test_children_are_counted_with_their_parent() -> None:
    """Here the child does all the work."""
    with family() as process:
        assert process.stdout is not None and process.stdout.readline() == b"burnt\n"
        seen = processes.look(process.pid)

    child = next(found for pid, found in seen.items() if pid != process.pid)
    assert child.cpu_seconds >= 0.25
    assert all(found.megabytes > 1 for found in seen.values())


def test_use_is_what_happened_between_two_looks() -> None:
    """A process born in between counts from its birth."""
    before = {1: processes.Process(1, "a", True, 2.0, 10)}
    after = {1: processes.Process(1, "a", True, 2.5, 11), 2: processes.Process(2, "b", False, 0.25, 12)}

    assert [use.cpu_seconds for use in processes.used(before, after)] == [0.5, 0.25]


def test_a_process_that_is_gone_is_no_error() -> None:
    """Processes end while they are looked at."""
    assert processes.look(2**22 + 1) == {}


def test_the_server_is_found_by_its_port() -> None:
    """So that nobody has to look its pid up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert processes.listening(listener.getsockname()[1]) == os.getpid()


def test_the_machine_is_at_least_as_busy_as_we_are() -> None:
    """What others take from a run can be told from it."""
    machine, own = processes.busy(), time.process_time()
    while time.process_time() < own + 0.2:
        pass

    assert processes.busy() - machine >= 0.15


def test_cpu_is_counted_finer_than_a_tick() -> None:
    """A turn of a few milliseconds has to be told from one that takes half as long again."""
    before, own = processes.cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < own + 0.004:
        pass

    assert 0.003 < processes.cpu_seconds(os.getpid()) - before < 0.5


def test_the_cpu_of_children_is_counted_and_of_the_gone_is_none() -> None:
    with family() as process:
        assert process.stdout is not None and process.stdout.readline() == b"burnt\n"
        assert processes.cpu_seconds(process.pid) >= 0.25
    assert processes.cpu_seconds(2**22 + 1) == 0


def test_memory_and_what_is_open_are_those_of_one_process() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        links = processes.descriptors(os.getpid())
    held = processes.memory(os.getpid())

    assert any(link.startswith("socket:") for link in links)
    assert held["Rss"] >= held["Private_Dirty"] > 1
    assert processes.memory(2**22 + 1) == {} and processes.descriptors(2**22 + 1) == []

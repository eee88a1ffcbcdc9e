"""A Redis of one's own: private, quick to start, gone with whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.redis import local
from gateway.redis.address import Address
from gateway.redis.local import LocalRedis, LocalRedisError, find


@pytest.fixture
def nothing_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


async def test_it_answers_and_nobody_else_may_ask() -> None:
    with LocalRedis() as server:
        client = Address.parse(server.url).client(connections=2, timeout_s=5)
        assert await client.ping()
        info = await client.info()
        assert (info["redis_mode"], info["tcp_port"], info["aof_enabled"]) == ("standalone", 0, 0)
        assert (await client.config_get("save"))["save"] == ""
        path = Path(server.url.removeprefix("unix://"))
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        await client.aclose()
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not path.parent.exists()


def test_stopping_twice_is_harmless() -> None:
    server = LocalRedis()
    server.start()
    server.stop()
    server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="no other system ends a child with its parent")
def test_it_is_gone_when_its_parent_was_killed() -> None:
    told = "import sys; from gateway.redis.local import LocalRedis; s = LocalRedis(); s.start(); print(s.url)"
    code = f"{told}; sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        path = Path(parent.stdout.readline().decode().strip().removeprefix("unix://"))
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(str(path))
            link.sendall(b"PING\r\n")
            assert link.recv(16) == b"+PONG\r\n"
            parent.send_signal(signal.SIGKILL)
            assert link.recv(1) == b"", "it lives"
    path.unlink()
    (path.parent / "log").unlink()
    path.parent.rmdir()


async def test_a_long_temporary_folder_is_left_for_a_shorter_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with LocalRedis() as server:
        assert len(server.url) < 100


def test_the_server_on_the_path_is_preferred(nothing_on_the_path: Path) -> None:
    ours = fake(nothing_on_the_path, "Redis server v=7.4.1 sha=00000000:0")
    assert find() == str(ours)


def test_an_old_one_on_the_path_is_passed_over(nothing_on_the_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = fake(nothing_on_the_path, "Redis server v=5.0.7 sha=00000000:0")
    monkeypatch.setattr(local, "_bundled", lambda: None)
    with pytest.raises(LocalRedisError, match=f"{ours} does not run, or is older than 6.2. Install Redis"):
        find()


def test_having_none_says_how_to_get_one(nothing_on_the_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_bundled", lambda: None)
    with pytest.raises(LocalRedisError, match=r"no redis-server on the PATH. Install Redis .* --redis-url"):
        LocalRedis().start()


def test_one_that_does_not_start_tells_what_it_said_and_leaves_nothing(
    nothing_on_the_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(nothing_on_the_path, "Redis server v=7.4.1, out of memory")
    folder = nothing_on_the_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(local, "short_folder", lambda: str(folder))
    with pytest.raises(LocalRedisError, match=r"did not start. It said:\nRedis server v=7.4.1, out of memory"):
        LocalRedis().start()
    assert not list(folder.iterdir())


def fake(folder: Path, said: str) -> Path:
    """A program in the place of Redis, which says one line and ends."""
    file = folder / "redis-server"
    file.write_text(f"#!/bin/sh\necho '{said}'\n")
    os.chmod(file, 0o755)
    return file

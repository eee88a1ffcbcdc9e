"""A Redis of the load test's own, for as long as it is needed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from redis import Redis
from redis.exceptions import RedisError

from loadtest.servers import ServerError

_START_S: Final = 15.0
_STOP_S: Final = 5.0
_FIND: Final = "from gateway.redis.local import find; print(find())"


class Traffic(NamedTuple):
    """Commands by name, those within scripts too, and the bytes that a Redis took and gave so far."""

    commands: Mapping[str, int]
    bytes_in: int
    bytes_out: int

    @classmethod
    def of(cls, client: Redis) -> Traffic:
        """Ask it; it blocks. Raises RedisError."""
        stats, commands = client.info("stats"), client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): int(told["calls"]) for name, told in commands.items()}
        return cls(calls, stats["total_net_input_bytes"], stats["total_net_output_bytes"])

    def less(self, before: Traffic) -> Traffic:
        """What came since, the most frequent command first; ours to ask for this are not told."""
        calls = {name: count - before.commands.get(name, 0) for name, count in self.commands.items() if name != "info"}
        most = {name: count for name, count in sorted(calls.items(), key=lambda call: -call[1]) if count}
        return Traffic(most, self.bytes_in - before.bytes_in, self.bytes_out - before.bytes_out)


@contextmanager
def redis_server(port: int, logs: Path) -> Iterator[int]:
    """A Redis on that port that keeps nothing on disk; its pid. Raises ServerError."""
    found = subprocess.run([sys.executable, "-c", _FIND], capture_output=True, text=True, timeout=_START_S)
    if found.returncode:
        raise ServerError(found.stderr.strip().splitlines()[-1])
    command = [found.stdout.strip(), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    log = logs / "redis.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=logs, start_new_session=True)
    try:
        until = time.monotonic() + _START_S
        while not _pings(port):
            if process.poll() is not None or time.monotonic() > until:
                raise ServerError(f"redis did not start; see {log}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        process.kill()
        process.wait()


def _pings(port: int) -> bool:
    with suppress(RedisError, OSError), Redis(port=port, socket_timeout=1) as client:
        return bool(client.ping())
    return False

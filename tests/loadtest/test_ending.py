"""A load test that is ended takes its servers along."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.waiting import until


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_no_server_is_left_of_a_load_test_that_is_ended(how: signal.Signals, tmp_path: Path) -> None:
    # Tests that run in the background of a shell have SIGINT ignored, and who is started by them inherits that.
    heed = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = heed + "runpy.run_module('loadtest', run_name='__main__')"
    words = ("-c", run, "fanout", "--readers", "5", "--seconds", "60", "--paced", "", "--out", str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    servers: list[int] = []
    try:
        # As soon as the second one is there: it may not be noted down yet.
        await until(lambda: len(children(process.pid)) >= 2)
        servers = children(process.pid)
        process.send_signal(how)
        _, said = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, b"Traceback" in said) == (130, False)
        await until(lambda: not any(map(runs, servers)))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

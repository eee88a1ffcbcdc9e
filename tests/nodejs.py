"""Node.js for tests: runs a script of tests/node, where npm's packages are."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "node"


def node() -> str:
    """The Node.js that `make venv` chose: its own beside Python, else the one on the PATH."""
    found = shutil.which("node", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert found, "no Node.js: run `make test`, which brings one"
    assert (FOLDER / "node_modules").is_dir(), "no npm packages: run `make test`, which brings them"
    return found


async def run_node(script: str, *arguments: str, timeout: float = 60, **environment: str) -> str:
    """What the script printed; a failure of the test if it failed or took too long."""
    process = await asyncio.create_subprocess_exec(
        node(),
        script,
        *arguments,
        cwd=FOLDER,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"{script} ran past {timeout} s\n{out.decode()}\n{err.decode()}") from None
    assert process.returncode == 0, f"{script} failed\n{out.decode()}\n{err.decode()}"
    return out.decode()

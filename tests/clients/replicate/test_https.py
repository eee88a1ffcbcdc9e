"""Behind TLS, as a server is that others reach: there the clients give outputs as files to be read."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients.replicate.conftest import FOLDERS, speaking
from tests.clients.replicate.line import secure_line
from tests.clients.replicate.speaker import CLIENTS, Speaker, program
from tests.serving import process

READING = ("python 1.0.7", "python 2.0.0b4", "node 1.4.0")
"""Those that make a file of an address; 0.31.0 gives the address."""
DATA = "data:text/plain;base64," + base64.b64encode("grüße".encode()).decode()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every client, running, for a server behind TLS that wants no key."""
    folder = tmp_path_factory.mktemp("https")
    models = ("--model", f"acme/shout=cog:{FOLDERS}/shout?python={sys.executable}", "--model", "demo=scripted:")
    with secure_line(folder) as (line, variables), ExitStack() as stack:
        options = ("--public-url", line.url, "--files", str(folder / "files"))
        line.lead_to(stack.enter_context(process(*models, *options)).url)
        yield {name: stack.enter_context(program(name, line.url, **variables)) for name in CLIENTS}


@pytest.fixture
def token() -> str:
    return "any"


@speaking(*READING)
def test_an_output_is_a_file_to_be_read(client: Speaker) -> None:
    outputs = client("run", model="acme/shout", input={"text": DATA, "times": 2})
    assert [base64.b64decode(output["bytes"]).decode() for output in outputs] == ["GRÜSSE", "GRÜSSE"]


@speaking("python 0.31.0", "python 1.0.7", "node 1.4.0")
def test_a_stream_is_read(client: Speaker) -> None:
    assert client("stream", model="hearth/demo", input={"prompt": "hello"})[-1] == ["done", "{}"]


def test_a_text_is_no_file(client: Speaker) -> None:
    assert "".join(client("run", model="hearth/demo", input={"prompt": "hello"}))

"""One Hearth for Replicate's clients, as a user starts it; and each client, with a key of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.clients.replicate.speaker import CLIENTS, Speaker, program
from tests.serving import process

FOLDERS = Path(__file__).parent / "folders"
ADMIN = "correct horse battery staple"
MODELS = (
    "campfire=vllm:bundled",
    "quick=scripted:?tokens=5&token_ms=1",
    "slow=scripted:?tokens=30&token_ms=50",
    "endless=scripted:?tokens=100000&token_ms=20",
    "failing=scripted:?fail_at=3",
    "booting=scripted:?boot_ms=2000",
    "dear=scripted:?tokens=10",
    "awkward=scripted:?answer=https://a.example%20is%E2%80%A8a%0D%0Aline%0B.",
    *(f"acme/{name}=cog:{FOLDERS}/{name}?python={sys.executable}" for name in ("count", "shout", "weigh")),
)
"""Text is real, and so are files; scripts are for what depends on time, and for what goes wrong. `awkward` says what
clients take for an address, and line breaks of every kind."""


class Hearth(NamedTuple):
    """The server, and a line to it that is kept open."""

    url: str
    http: httpx.Client

    def ask(self, method: str, path: str, token: str = ADMIN, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def key(self, **said: Any) -> str:
        """The secret of a new key, with a namespace of its own."""
        answer = self.ask("POST", "/admin/keys", json={"name": "user", **said})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    def cool(self, model: str) -> None:
        """Have it cold."""
        answer = self.ask("POST", f"/admin/models/{model}/cool", params={"wait": 1, "drain_s": 0})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="session")
def hearth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hearth]:
    folder = tmp_path_factory.mktemp("hearth")
    with process(*arguments(folder)) as served, httpx.Client(base_url=served.url, timeout=60) as http:
        yield Hearth(served.url, http)


def arguments(folder: Path) -> list[str]:
    """What `hearth serve` is told; everything that it keeps is in that folder."""
    config = folder / "hearth.toml"
    config.write_text(
        f'''
        admin_key = "{ADMIN}"
        models = {json.dumps(MODELS)}
        state_file = "{folder}/hearth.db"
        files = "{folder}/files"
        private_networks = ["127.0.0.0/8"]

        [model.campfire]
        price_per_million_output = 1

        [model.dear]
        price_per_million_output = 1000000
        '''
    )
    return ["--config", str(config)]


@pytest.fixture(scope="session")
def programs(hearth: Hearth) -> Iterator[dict[str, Any]]:
    """Every client, running."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(program(name, hearth.url)) for name in CLIENTS}


@pytest.fixture
def token(hearth: Hearth) -> str:
    return hearth.key()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, programs: dict[str, Any], token: str) -> Speaker:
    """Each client. A test that names some of them (`speaking`) is run with those."""
    return Speaker(request.param, programs[request.param], token)


def speaking(*names: str) -> pytest.MarkDecorator:
    """For tests of what only these clients can do."""
    return pytest.mark.parametrize("client", names, indirect=True)

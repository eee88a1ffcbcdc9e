"""The programs of clients/examples/replicate, as a user runs them."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.clients.replicate.conftest import Hearth
from tests.clients.replicate.line import secure_line
from tests.clients.replicate.speaker import environment
from tests.nodejs import FOLDER, node
from tests.redis_server import free_port
from tests.serving import ask_until, process

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "clients" / "examples" / "replicate"
PNG = b"\x89PNG\r\n\x1a\n"
TINY = """
import sys
from pathlib import Path
from tests.engines.examples import tiny

tiny.sdxl(Path(sys.argv[1]) / "sdxl")
tiny.whisper(Path(sys.argv[1]) / "whisper")
"""
"""Makes models of the real architectures, too small to know anything."""


class Programs:
    """The programs in one language, run in an empty folder."""

    def __init__(self, language: str, folder: Path, url: str, token: str, **variables: str) -> None:
        self.language = language
        self.folder = folder
        client = {"python": "python 1.0.7", "node": "node 1.4.0"}[language]
        self.variables = {**os.environ, **environment(client, url), "REPLICATE_API_TOKEN": token, **variables}
        shutil.copytree(EXAMPLES / language, folder / "programs")
        if language == "node":
            (folder / "programs" / "node_modules").symlink_to(FOLDER / "node_modules")

    def command(self, program: str) -> list[str]:
        if self.language == "python":
            return [sys.executable, f"programs/{program}.py"]
        return [node(), f"programs/{program.replace('_', '-')}.mjs"]

    def change(self, program: str, old: str, new: str) -> None:
        """Have one word of a program be another."""
        path = self.folder / self.command(program)[-1]
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self, program: str, *arguments: str, **variables: str) -> str:
        """What it printed. Raises CalledProcessError where it fails."""
        command = [*self.command(program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env={**self.variables, **variables}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


class Studio(NamedTuple):
    """A server of the example models for pictures and speech, reached by TLS; it wants no key."""

    url: str
    variables: dict[str, str]
    """What has clients believe its certificate."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    subprocess.run([sys.executable, "-c", TINY, folder], cwd=ROOT, check=True, capture_output=True, timeout=100)
    models = {"stability-ai/sdxl": "sdxl", "openai/whisper": "whisper"}
    words = [
        f"{name}=cog:{ROOT}/engines/examples/{model}?python={sys.executable}&env.COG_WEIGHTS={folder}/{model}"
        for name, model in models.items()
    ]
    with secure_line(folder) as (line, variables):
        options = ["--private-networks", "127.0.0.0/8", "--files", str(folder / "files"), "--public-url", line.url]
        with process(*(word for model in words for word in ("--model", model)), *options) as served:
            line.lead_to(served.url)
            yield Studio(line.url, variables)


@pytest.fixture(params=["python", "node"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def programs(language: str, tmp_path: Path, hearth: Hearth, token: str) -> Programs:
    return Programs(language, tmp_path, hearth.url, token)


@pytest.fixture
def artists(language: str, tmp_path: Path, studio: Studio) -> Programs:
    return Programs(language, tmp_path, studio.url, "any", **studio.variables)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of silence."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000))
    return path


@contextmanager
def published(folder: Path) -> Iterator[str]:
    """The address of a web server of that folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_first_run_tells_a_story(programs: Programs) -> None:
    assert "fox" in programs.run("first_run")


def test_a_stream_tells_a_story(programs: Programs) -> None:
    assert "owl" in programs.run("streaming")


def test_sdxl_draws_into_a_file(artists: Programs) -> None:
    artists.change("sdxl_to_file", "1024", "64")  # for which the tiny model was made; more take a CPU half a minute
    artists.run("sdxl_to_file")
    assert (artists.folder / "astronaut.png").read_bytes().startswith(PNG)


def test_whisper_hears_the_same_in_a_file_and_at_an_address(artists: Programs, speech: Path) -> None:
    with published(speech.parent) as url:
        heard = artists.run("whisper_url", f"{url}/{speech.name}")
    assert heard == artists.run("whisper_file", str(speech))


def test_what_is_begun_is_looked_at_until_it_has_ended(programs: Programs) -> None:
    id, status, *story, seconds = programs.run("create_and_poll").splitlines()
    assert (len(id), status) == (26, "succeeded")
    assert "bear" in " ".join(story)
    assert re.fullmatch(r"\d+\.\d\d s", seconds)


def test_a_pinned_version_is_asked(programs: Programs, hearth: Hearth, token: str) -> None:
    first, *story = programs.run("pinned_version").splitlines()
    model = hearth.ask("GET", "/replicate/v1/models/hearth/campfire", token).json()
    assert first.startswith(model["latest_version"]["id"])
    assert "hen" in " ".join(story)


def test_every_error_has_its_remedy(programs: Programs, hearth: Hearth) -> None:
    spent = hearth.key(budget={"amount": 1})
    body = {"input": {"prompt": "hello", "max_tokens": 1}}
    hearth.ask("POST", "/replicate/v1/models/hearth/dear/predictions", spent, json=body, headers={"prefer": "wait"})
    said = programs.run("errors", SPENT_TOKEN=spent).splitlines()
    assert [line.partition(":")[0] for line in said if line[:3].isdigit()] == ["401", "402", "404", "422"]
    assert any("temperature" in line for line in said)


def test_a_cold_start_is_seen(programs: Programs, hearth: Hearth) -> None:
    hearth.cool("booting")
    stages = [line.split()[-1] for line in programs.run("cold_start", "hearth/booting").splitlines()]
    assert stages[0] == "starting" and stages[-1] == "succeeded"


def test_what_is_canceled_keeps_what_it_said(programs: Programs) -> None:
    status, *text = programs.run("cancel", "hearth/endless").splitlines()
    assert status == "canceled"
    assert "".join(text)


def test_all_predictions_are_shown(programs: Programs, hearth: Hearth, token: str) -> None:
    body = {"input": {"prompt": "hello"}}
    made = hearth.ask(
        "POST", "/replicate/v1/models/hearth/quick/predictions", token, json=body, headers={"prefer": "wait"}
    )
    assert programs.run("pagination") == f"{made.json()['id']} succeeded hearth/quick\n"


@contextmanager
def webhook_service(programs: Programs) -> Iterator[str]:
    """The address of the service, running."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = programs.command("webhook_service")
    if programs.language == "python":
        command = [sys.executable, "-m", "uvicorn", "--app-dir", "programs", "--port", str(port), "webhook_service:app"]
    variables = {**programs.variables, "PORT": str(port), "WEBHOOK_URL": f"{url}/webhook"}
    with subprocess.Popen(
        command, cwd=programs.folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            ask_until(lambda: status_of(lambda: httpx.get(f"{url}/answers/none")) == 404, 30)
            yield url
        finally:
            running.terminate()


def status_of(call: Callable[[], httpx.Response]) -> int | None:
    """What a server answers; None before it listens."""
    try:
        return call().status_code
    except httpx.ConnectError:
        return None


def test_a_service_is_told_the_answer_and_believes_nobody_else(programs: Programs) -> None:
    with webhook_service(programs) as url:
        id = httpx.post(f"{url}/ask", json={"prompt": "Tell me a story about a goat."}, timeout=30).json()
        forged = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        for headers in ({}, forged):
            answer = httpx.post(f"{url}/webhook", json={"id": id, "output": ["lies"]}, headers=headers)
            assert answer.status_code == 401
        ask_until(lambda: httpx.get(f"{url}/answers/{id}").status_code == 200, 30)
        told: dict[str, Any] = json.loads(httpx.get(f"{url}/answers/{id}").text)
    assert told["status"] == "succeeded"
    assert "goat" in "".join(told["output"])

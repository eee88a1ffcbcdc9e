"""hearth push: a Cog folder becomes a version of a model of a running server, and real Cog runs it."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines import registry
from gateway.__main__ import main
from gateway.catalog.archives import pack
from tests.gateway.cli.keyboard import hearth
from tests.serving import Served, serving
from tests.waiting import until

PREDICT = """
from cog import BasePredictor, Input

class Predictor(BasePredictor):
    def predict(self, name: str = Input(description="Whom to greet")) -> str:
        return "{greeting} " + name
"""


@pytest.fixture(autouse=True)
def with_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cog is here already: nothing is installed anew."""
    make: Callable[..., Any] = registry._MAKERS["cog"]

    def with_python(model: registry.ModelSource, *others: Any) -> Any:
        return make(model._replace(knobs={**model.knobs, "python": sys.executable}), *others)

    monkeypatch.setitem(registry._MAKERS, "cog", with_python)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "greeter"
    folder.mkdir()
    (folder / "cog.yaml").write_text('predict: "predict.py:Predictor"\n')
    (folder / "predict.py").write_text(PREDICT.replace("{greeting}", "Hello"))
    (folder / "notes.log").write_text("not for you")
    (folder / ".dockerignore").write_text("*.log\n")
    return folder


async def push(served: Served, folder: Path, model: str = "acme/greeter") -> str:
    """Push a folder; the version that is told."""
    status, said, complaint = await hearth("push", str(folder), model, "--url", served.url)
    assert (status, complaint) == (0, ""), complaint
    told = next(line for line in said.splitlines() if line.startswith(f"{model}:"))
    return told.removeprefix(f"{model}:")


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    pack(folder, out)
    return out.getvalue()


async def predict(http: httpx.AsyncClient, version: str) -> dict[str, Any]:
    body = {"version": version, "input": {"name": "Ada"}}
    made = await http.post("/predictions", json=body, headers={"prefer": "wait=60"})
    assert made.status_code in (201, 202), made.text
    async with asyncio.timeout(60):
        while not (told := (await http.get(f"/predictions/{made.json()['id']}")).json())["completed_at"]:
            continue
    return dict(told)


@asynccontextmanager
async def running(**kept: Any) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    """A server, and whoever asks it as Replicate's clients do."""
    async with serving("demo=scripted:", **kept) as served, httpx.AsyncClient(timeout=90) as http:
        http.base_url = httpx.URL(f"{served.url}/replicate/v1")
        yield served, http


async def test_a_folder_is_pushed_asked_pushed_again_and_taken_back(folder: Path, tmp_path: Path) -> None:
    kept = {"state_file": tmp_path / "hearth.db", "files": str(tmp_path / "files")}
    async with running(**kept) as (served, http):
        first = await push(served, folder)
        told = await predict(http, first)
        assert (told["status"], told["output"], told["model"]) == ("succeeded", "Hello Ada", "acme/greeter"), told[
            "error"
        ]
        shown = (await http.get("/models/acme/greeter")).json()["latest_version"]
        assert "name" in shown["openapi_schema"]["components"]["schemas"]["Input"]["properties"]
        (folder / "predict.py").write_text(PREDICT.replace("{greeting}", "Good day"))
        second = await push(served, folder)
        assert (await http.get("/models/acme/greeter")).json()["latest_version"]["id"] == second != first
        told = await predict(http, f"acme/greeter:{second}")
        assert told["output"] == "Good day Ada", told["error"]
        assert (told := await predict(http, first))["output"] == "Hello Ada", told["error"]
    shutil.rmtree(folder)
    async with running(**kept) as (served, http):
        assert (told := await predict(http, first))["output"] == "Hello Ada", told["error"]
        assert (await http.delete(f"/models/acme/greeter/versions/{first}")).status_code == 202
        refused = await http.post("/predictions", json={"version": first, "input": {"name": "Ada"}})
        assert refused.status_code == 422 and "version" in refused.json()["title"]
        await until(lambda: len(served.gateway.pool.models) == 2)
        [left] = (await http.get("/models/acme/greeter/versions")).json()["results"]
        assert left["id"] == second


async def test_a_broken_folder_takes_no_ones_place_and_an_earlier_one_may_have_it_back(
    folder: Path, tmp_path: Path
) -> None:
    kept = {"state_file": tmp_path / "hearth.db", "files": str(tmp_path / "files")}
    async with running(**kept) as (served, http):
        first = await push(served, folder)
        shown = (await http.get("/models/acme/greeter")).json()["latest_version"]
        assert "name" in shown["openapi_schema"]["components"]["schemas"]["Input"]["properties"]
        (folder / "predict.py").write_text("from cog import BasePredictor\n\nclass Predictor(:\n")
        status, _, complaint = await hearth("push", str(folder), "acme/greeter", "--url", served.url)
        assert status == 1 and "SyntaxError" in complaint
        assert 'File "predict.py"' in complaint and str(tmp_path) not in complaint
        refused = await http.post("/models/acme/greeter/versions", content=packed(folder))
        assert refused.status_code == 422 and "SyntaxError" in refused.json()["detail"]
        assert (await http.get("/models/acme/greeter")).json()["latest_version"]["id"] == first
        (folder / "predict.py").write_text(PREDICT.replace("{greeting}", "Good day"))
        second = await push(served, folder)
        assert (await http.get("/models/acme/greeter")).json()["latest_version"]["id"] == second
        (folder / "predict.py").write_text(PREDICT.replace("{greeting}", "Hello"))
        assert await push(served, folder) == first
        assert (await http.get("/models/acme/greeter")).json()["latest_version"]["id"] == first
        deployment = {"name": "local/app", "model": "acme/greeter", "version": second}
        assert (await http.post("/deployments", json=deployment)).status_code == 200
        refused = await http.delete(f"/models/acme/greeter/versions/{second}")
        assert refused.status_code == 409 and "local/app" in refused.json()["detail"]
        assert (await http.delete("/deployments/local/app")).status_code == 204
        assert (await http.delete(f"/models/acme/greeter/versions/{second}")).status_code == 202


async def test_whoever_reads_what_it_says_may_be_gone(folder: Path) -> None:
    async with serving("demo=scripted:") as served:
        words = ["-m", "gateway", "push", str(folder), "acme/none", "--url", f"{served.url}/nowhere"]
        reader, writer = os.pipe()
        os.close(reader)
        process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=writer, stderr=PIPE)
        os.close(writer)
        _, complaint = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 1 and len(complaint.splitlines()) == 1, complaint


async def test_what_is_wrong_is_told(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(tmp_path), "acme/greeter"]) == 2
    assert "holds no cog.yaml" in capsys.readouterr().err
    assert main(["push", str(folder), "greeter"]) == 2
    assert "'greeter' is no model" in capsys.readouterr().err
    (folder / "weights").symlink_to("nowhere")
    assert main(["push", str(folder), "acme/greeter"]) == 1
    assert "weights is a link that leads to nothing" in capsys.readouterr().err
    (folder / "weights").unlink()
    (folder / "cog.yaml").write_text("predict: 7\n")
    async with serving("demo=scripted:") as served:
        status, _, complaint = await hearth("push", str(folder), "acme/greeter", "--url", served.url)
        assert status == 1 and "cog.yaml names no predictor" in complaint
        assert [*served.gateway.pool.models] == ["demo"]

"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from playwright.async_api import Page

from tests.nodejs import run_node

ROOT = Path(__file__).parent.parent
PACKAGES = ["gateway", "engines", "cache", "loadtest"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix in suffixes]
    return sorted(file for file in files if "node_modules" not in file.parts)


def test_no_file_is_past_six_hundred_lines() -> None:
    code = sources(
        *PACKAGES, "clients", "tests", "scripts", suffixes=(".py", ".js", ".mjs", ".ts", ".lua", ".css", ".html")
    )
    long = {str(file.relative_to(ROOT)): n for file in code if (n := len(file.read_text().splitlines())) > 600}
    assert not long, "a file is one idea: split by ideas"


def test_no_module_is_called_after_nothing() -> None:
    vague = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc)$")
    assert not [file for file in sources(*PACKAGES, "clients", "tests") if vague.search(file.stem)]


def test_version_is_the_newest_in_the_changelog() -> None:
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] == PROJECT["project"]["version"]


def test_lock_is_of_this_project() -> None:
    """`uv lock --check` needs every index; this needs none, and finds what is forgotten most: to lock."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    [ours] = [package for package in lock["package"] if package["name"] == PROJECT["project"]["name"]]
    locked = [
        *ours["metadata"]["requires-dist"],
        *(r for group in ours["metadata"]["requires-dev"].values() for r in group),
    ]
    asked = [
        *PROJECT["project"]["dependencies"],
        *(r for extra in PROJECT["project"]["optional-dependencies"].values() for r in extra),
        *(r for group in PROJECT["dependency-groups"].values() for r in group),
    ]
    assert {(r.name, r.specifier) for r in map(Requirement, asked)} == {
        (r["name"], SpecifierSet(r.get("specifier", ""))) for r in locked
    }, "run scripts/lock.py"
    assert ours["version"] == PROJECT["project"]["version"], "run scripts/lock.py"
    hosts = set(re.findall(r'"https?://([^/"]+)', (ROOT / "uv.lock").read_text()))
    assert hosts <= {"pypi.org", "files.pythonhosted.org", "download.pytorch.org", "download-r2.pytorch.org"}


def environment_accesses(file: Path) -> Iterator[ast.AST]:
    """Each mention of the environment that is not an assignment to it."""
    tree = ast.parse(file.read_text())
    written = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in {"environ", "environb", "getenv"}
            and id(node) not in written
        ):
            yield node
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (name for name in node.names if name.name in {"environ", "environb", "getenv"})


def test_only_settings_read_the_environment() -> None:
    readers = {str(file.relative_to(ROOT)) for file in sources(*PACKAGES) if [*environment_accesses(file)]}
    assert readers <= {"gateway/settings.py"}


def test_tests_do_not_sleep() -> None:
    """A sleep is a guess about a machine: wait for the event, or turn the test's clock.

    Only a process outside has to be asked now and then, until a deadline; tests/serving.py does that for everybody.
    """
    guesses = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sources("tests")
        if file != ROOT / "tests/serving.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep"
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert not guesses


IMPORT_ALL = """
import importlib, os, pkgutil, sys

done = []
folders = tuple(os.path.join(os.getcwd(), package, "") for package in sys.argv[1:])
watched = {"socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.posix_spawn",
           "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.putenv", "shutil.rmtree"}

def ours(frame):
    while frame:
        if frame.f_globals.get("__name__", "").partition(".")[0] in sys.argv[1:]:
            return frame.f_globals["__name__"]
        frame = frame.f_back

def hook(event, arguments):
    if event == "open":
        path, _, flags = arguments
        data = str(path).startswith(folders) and not str(path).endswith((".py", ".pyc"))
        if not data and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event not in watched:
        return
    done.append(f"{ours(sys._getframe(1))}: {event} {arguments}")

names = [name for package in sys.argv[1:]
         for name in [package, *(m.name for m in pkgutil.walk_packages([package], package + "."))]
         if not name.endswith("__main__") and not name.startswith("engines.vllm.host")]
sys.addaudithook(hook)
for name in names:
    importlib.import_module(name)
print(*done, sep="\\n")
print(len(names), "modules", file=sys.stderr)
"""


def test_importing_does_nothing() -> None:
    """No file written or read, no socket, no process: that is for `main`, and for whoever asked."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, *PACKAGES], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


async def test_node_has_the_packages() -> None:
    said = json.loads(await run_node("versions.mjs"))
    assert said["OpenAI"] == said["EventSource"] == "function"


async def test_node_that_fails_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no such thing"):
        await run_node("--eval", "throw new Error('no such thing')")


async def test_browser_shows_a_page_of_localhost(page: Page) -> None:
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1 style='display: inline'>one fire, many watchers</h1>")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Hello) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        await page.goto(f"http://127.0.0.1:{server.server_port}/")
        assert await page.text_content("h1") == "one fire, many watchers"
        assert await page.evaluate("document.querySelector('h1').offsetWidth") > 200, "no font"
        server.shutdown()

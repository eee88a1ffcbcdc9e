"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
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
    return sorted(file for file in files if not {"node_modules", ".versions"} & {*file.parts})


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


def reads_environment(file: Path) -> bool:
    """Whether it mentions the environment other than to set something in it."""
    names = {"environ", "environb", "getenv"}
    tree = ast.parse(file.read_text())
    sets = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Attribute() as mention, ctx=ast.Store() | ast.Del()):
                sets.add(mention)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Attribute() as mention, attr="setdefault"))):
                sets.add(mention)
    mentions = {node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in names}
    imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return bool(mentions - sets or imports & names)


def test_only_settings_read_the_environment() -> None:
    readers = {
        str(file.relative_to(ROOT)) for file in sources("gateway", "engines", "cache") if reads_environment(file)
    }
    assert readers <= {"gateway/settings.py"}


def test_tests_do_not_sleep() -> None:
    """A sleep is a guess about a machine: wait for the event, or turn the test's clock.

    Only a process outside has to be asked now and then, until a deadline; tests/serving.py does that for everybody.
    Predictors in `folders` are such processes. On the loop of tests/leaping.py nobody waits: who sleeps there turns the
    clock.
    """
    turned = {ROOT / "tests/serving.py", ROOT / "tests/engines/weeks.py", ROOT / "tests/engines/test_fortnight.py"}
    guesses = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sources("tests")
        if file not in turned and "folders" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep"
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert not guesses


IMPORT_ALL = """
import importlib, os, pkgutil, sys

folders = tuple(os.path.join(os.getcwd(), package, "") for package in sys.argv[1:])
deeds = {"socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.posix_spawn",
         "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.putenv", "shutil.rmtree"}

def ours(frame):
    while frame and "site-packages" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith(folders):
            return frame.f_globals["__name__"]
        frame = frame.f_back

def hook(event, arguments):
    if event == "open":
        path, _, flags = arguments
        data = str(path).startswith(folders) and not str(path).endswith((".py", ".pyc"))
        if not data and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event not in deeds:
        return
    if name := ours(sys._getframe(1)):
        print(name, event, arguments)

def served(name):
    inside = name.rpartition(".")[0] in ("engines.vllm", "engines.campfire")
    return not name.endswith("__main__") and (not inside or name in ("engines.vllm.engine", "engines.vllm.wire"))

found = [m.name for package in sys.argv[1:] for m in pkgutil.walk_packages([package], package + ".")]
sys.addaudithook(hook)
for name in filter(served, found):
    importlib.import_module(name)
print(*sys.modules.keys() & {"vllm", "torch", "transformers"})
"""


def test_importing_what_the_server_runs_does_nothing() -> None:
    """No file, no socket, no process: that is for `main` and for whoever asked. And vLLM stays in its own process."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, *PACKAGES], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


async def test_node_has_the_packages() -> None:
    said = json.loads(await run_node("versions.mjs"))
    assert said["OpenAI"] == said["Replicate"] == said["EventSource"] == "function"


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

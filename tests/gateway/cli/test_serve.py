"""hearth serve."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from msgspec.structs import fields

from engines.registry import _MAKERS
from engines.scripted.script import Script
from gateway.__main__ import main
from gateway.cli.serve import GROUPS, _idle_tables, parser
from gateway.settings import Settings, load
from gateway.spelling import TABLES, option
from tests.gateway.cli.keyboard import CTRL_C, terminal
from tests.serving import process


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)


@asynccontextmanager
async def log_of(*words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    """The server as a log meets it: its lines, no terminal."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--port", "0", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield child, child.stdout
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def until(lines: asyncio.StreamReader, text: str) -> list[str]:
    """Every line up to the one with that text."""
    seen: list[str] = []
    while not seen or text not in seen[-1]:
        line = await lines.readline()
        assert line, f"{text!r} does not come; there was {seen}"
        seen.append(line.decode().rstrip())
    return seen


def test_it_listens_before_its_models_are_up() -> None:
    with process("--model", "demo=scripted:?boot_ms=600000", ready=False) as served:
        assert httpx.get(f"{served.url}/healthz").status_code == 200
        assert httpx.get(f"{served.url}/readyz").json()["models"]["demo"]["state"] == "booting"


def test_what_it_imports_before_it_listens_is_little() -> None:
    """Under a second to the first answer is a matter of imports; these take longest and are for others."""
    heavy = "openai httpx vllm torch transformers numpy fastapi rich anthropic loadtest"
    code = (
        f"import sys, gateway.__main__, gateway.server, gateway.cli.serve; print(sys.modules.keys() & {heavy.split()})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr


async def test_a_log_has_the_address_the_models_and_every_stage() -> None:
    models = ("--model", "demo=scripted:?boot_ms=100", "--model", "bad=scripted:?boot_fails=true")
    async with log_of(*models) as (child, lines):
        seen = await until(lines, "demo: warm")
        assert seen[0].startswith("Hearth 0.") and " listens at http://127.0.0.1:" in seen[0]
        url = seen[0].rpartition(" ")[2]
        assert seen[1:5] == [
            f"  chat page   {url}/",
            f"  OpenAI API  {url}/v1",
            f"  Replicate   {url}/replicate",
            "  models      demo, bad",
        ]
        assert "demo: pretending to load" in seen
        assert "bad: broken: The script says that the boot fails." in seen
        assert seen[-1] == "demo: warm in 0.1 s (pretending to load 0.1)"
        child.send_signal(signal.SIGTERM)
        assert await until(lines, "stopped") == ["stopping", "stopped"]
        assert await lines.read() == b""


async def test_an_engine_that_dies_and_comes_back_is_told() -> None:
    async with log_of("--model", "demo=scripted:?crash_at=1") as (_, lines):
        url = (await until(lines, "listens at"))[0].rpartition(" ")[2]
        await until(lines, "demo: warm")
        async with httpx.AsyncClient() as client:
            await client.post(f"{url}/v1/completions", json={"model": "demo", "prompt": "hi"})
        assert "demo: died: the script said so; starting it again" in await until(lines, "demo: warm")


@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_a_second_ctrl_c_does_not_wait_for_answers(redis_url: str, store: str) -> None:
    words = ["--redis-url", redis_url] if store == "redis" else []
    async with log_of("--model", "demo=scripted:?stall_at=1", "--drain-s", "600", *words) as (child, lines):
        url = (await until(lines, "listens at"))[0].rpartition(" ")[2]
        await until(lines, "demo: warm")
        ask = {"model": "demo", "prompt": "hi", "stream": True}
        async with httpx.AsyncClient() as client, client.stream("POST", f"{url}/v1/completions", json=ask) as answer:
            await anext(answer.aiter_bytes())
            child.send_signal(signal.SIGINT)
            await until(lines, "draining: 1 answer may end within 600 s; a second Ctrl-C does not wait")
            child.send_signal(signal.SIGINT)
            await until(lines, "stopped")
        assert await child.wait() == 0


async def test_a_terminal_shows_the_boot_in_one_line_that_changes() -> None:
    async with terminal("serve", "--port", "0", "--model", "demo=scripted:?boot_ms=1500") as person:
        await person.sees("listens at \x1b[1mhttp://127.0.0.1:")
        await person.sees("\r\x1b[K\x1b[2mdemo: pretending to load (1 s)\x1b[0m")
        assert "pretending" not in (await person.sees("\r\x1b[Kdemo: warm in 1.")).replace(
            "pretending to load (1 s)", ""
        )
        person.type(CTRL_C)
        await person.sees("stopped")
        assert await person.ends() == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--prot 1", "there is no '--prot' (did you mean '--port'?); `hearth serve --help` says what there is."),
        ("--port high", "--port high: input should be a valid integer"),
        ("--model demo", "'demo' names no model; write NAME=ENGINE:SOURCE?knob=value&..."),
        ("--model demo=vlm:bundled", "There is no engine 'vlm'; there are vllm, openai, replicate, cog, scripted."),
        ("--model demo=vllm:", "demo=vllm: wants a folder, a model's name, or `bundled`."),
        ("--model demo=vllm:/no/such", "demo: /no/such is no model's folder"),
        ("--model demo=scripted:?tokns=1", "The scripted engine has no knob 'tokns'"),
        (
            "--model a=scripted: --host 192.0.2.1 --open-access",
            "192.0.2.1 is no address of this machine; --host 0.0.0.0",
        ),
        ("--config gone.toml", "There is no settings file gone.toml"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_status_2(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["serve", *words.split()])
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    said = capsys.readouterr()
    assert status == 2 and said.out == ""
    assert said.err.startswith(f"hearth serve: {told}") and said.err.count("\n") == 1


def test_a_port_in_use_is_named_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--port", str(port), "--model", "demo=scripted:"]) == 2
    assert capsys.readouterr().err == (
        f"hearth serve: Port {port} on 127.0.0.1 is in use; choose another with --port, or stop what listens there.\n"
    )


def test_a_model_that_vllm_is_not_there_for_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.sources.find_spec", lambda name: None)
    assert main(["serve"]) == 2
    assert "campfire wants vLLM, which is not installed: `make venv EXTRA=cpu`" in capsys.readouterr().err


def test_the_help_has_every_setting_every_engine_and_every_knob() -> None:
    assert sorted([*TABLES, *(name for names in GROUPS.values() for name in names)]) == sorted(Settings.model_fields)
    text = parser().format_help()
    assert not [name for names in GROUPS.values() for name in names if option(name) not in text]
    assert not [name for name in TABLES if f"[{name}" not in text]
    assert not [engine for engine in _MAKERS if f"\n  {engine} " not in text]
    assert not [field.name for field in fields(Script) if f" {field.name}=" not in text]


def test_an_unknown_command_is_answered_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serv"])
    assert "there is no command 'serv' (did you mean 'serve'?)" in capsys.readouterr().err


def test_no_command_shows_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([])
    assert "\n  doctor   " in capsys.readouterr().out


def test_a_table_of_a_model_that_is_not_served_is_told_with_a_guess() -> None:
    settings = load({"models": ("qwen=scripted:",), "model": {"qwenn": {"concurrent": 5}, "qwen": {}}})
    [told] = _idle_tables(settings)
    assert told.startswith("[model.qwenn] is of no model that is served (did you mean 'qwen'?)")

"""The JavaScript client: its own tests, its types, and both its transports on a real gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.nodejs import FOLDER, run_node
from tests.serving import serving

LANES_IN_A_PAGE = """async () => {
  const { HearthClient } = await import('./static/client/index.js');
  const socket = new HearthClient().socket();
  const read = async (content) => {
    let text = '';
    const lane = socket.create({ model: 'demo', messages: [{ role: 'user', content }] });
    for await (const event of lane) text += event.d ?? '';
    return text;
  };
  const texts = await Promise.all(Array.from({ length: 12 }, (_, index) => read(`prompt ${index}`)));
  socket.close();
  return texts;
}"""

CLIENT = Path(__file__).parents[3] / "clients" / "js"
READ = Path(__file__).parent / "read.mjs"


async def test_its_own_tests_pass() -> None:
    files = sorted(str(file) for file in (CLIENT / "tests").glob("*.test.js"))
    assert files
    await run_node("--test", "--test-timeout=20000", *files)


async def test_its_types_hold() -> None:
    await run_node(str(FOLDER / "node_modules" / "typescript" / "bin" / "tsc"), "-p", str(CLIENT / "types"))


def test_it_exports_what_its_types_say() -> None:
    exported = (CLIENT / "src" / "index.js").read_text()
    declared = (CLIENT / "src" / "index.d.ts").read_text()
    for name in ("HearthClient", "HearthError", "Socket", "SseParser"):
        assert f"{{ {name} }}" in exported
        assert f"export class {name}" in declared


def test_it_depends_on_nothing_and_ships_its_source_alone() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    assert "dependencies" not in package
    assert package["files"] == ["src"]


@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_a_real_answer_is_read_once_and_whole(transport: str) -> None:
    async with serving("demo=scripted:?tokens=50&token_ms=2") as served:
        said = json.loads(await run_node(str(READ), served.url, transport))
    assert [word.split(".")[2] for word in said["text"].split()] == [str(index) for index in range(50)]
    assert said["positions"] == sorted(set(said["positions"]), key=said["positions"].index)
    assert said["end"]["state"] == "finished"
    assert said["rest"] == [], "a position at the end has nothing after it"
    assert said["unknown"] == "unknown_generation"


async def test_many_answers_share_one_socket() -> None:
    async with serving("demo=scripted:?tokens=30&token_ms=2") as served:
        said = json.loads(await run_node(str(READ), served.url, "lanes"))
    assert len(said["texts"]) == 20
    for text in said["texts"]:
        assert [word.split(".")[2] for word in text.split()] == [str(index) for index in range(30)]
    assert len({text.split(".")[0] for text in said["texts"]}) == 20, "each lane has its own prompt's answer"
    assert said["canceled"] == "canceled"


async def test_a_page_reads_more_answers_at_once_than_it_may_have_connections(page: Page) -> None:
    async with serving("demo=scripted:?tokens=30&token_ms=2") as served:
        await page.goto(served.url)
        texts = await page.evaluate(LANES_IN_A_PAGE)
    assert len(texts) == 12
    for text in texts:
        assert [word.split(".")[2] for word in text.split()] == [str(index) for index in range(30)]

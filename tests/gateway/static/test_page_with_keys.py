"""The chat page on a server that wants a key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.serving import process

ADMIN = "correct horse"

SOCKET = """async ([key, id]) => {
  const { HearthClient } = await import('./static/client/index.js');
  const client = new HearthClient({ key });
  return client.text(id, { transport: 'ws' });
}"""

EVENT_SOURCE = """async ([key, id]) => {
  const { HearthClient } = await import('./static/client/index.js');
  const { ticket } = await new HearthClient({ key }).ticket(id);
  const source = new EventSource(`v1/streams/${id}?ticket=${encodeURIComponent(ticket)}`);
  let text = '';
  source.addEventListener('delta', ({ data }) => (text += JSON.parse(data).d));
  await new Promise((resolve, reject) => {
    source.addEventListener('end', resolve);
    source.addEventListener('error', reject);
  });
  source.close();
  return text;
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = tmp_path_factory.mktemp("keys") / "hearth.db"
    words = ("--model", "demo=scripted:?tokens=9&token_ms=5", "--state-file", str(state), "--admin-key", ADMIN)
    with process(*words) as served:
        yield served.url


def secret(url: str) -> str:
    """That of a new key."""
    answer = httpx.post(f"{url}/admin/keys", json={}, headers={"x-api-key": ADMIN})
    text: str = answer.json()["secret"]
    return text


def started(url: str, key: str) -> str:
    """A generation of that key."""
    body = {"model": "demo", "prompt": "hi"}
    id: str = httpx.post(f"{url}/v1/streams", json=body, headers={"x-api-key": key}).json()["id"]
    return id


async def enter(page: Page, key: str, *, remember: bool = False) -> None:
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Key", exact=True).fill(key)
    if remember:
        await dialog.get_by_label("Remember it").check()
    await dialog.get_by_role("button", name="Use this key").click()


async def asked(page: Page) -> None:
    """Ask, and see the whole answer."""
    await page.get_by_label("Message").fill("Tell me.")
    await page.keyboard.press("Enter")
    await expect(page.locator(".choices")).to_contain_text(".0.8")


async def kept(page: Page) -> tuple[str | None, str | None]:
    """The key that the tab has, and the one that the browser has."""
    return tuple(await page.evaluate("[sessionStorage, localStorage].map((store) => store.getItem('hearth.key'))"))


async def test_the_page_asks_for_a_key_and_answers_with_it(page: Page, url: str) -> None:
    await page.goto(url)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await enter(page, "wrong")
    await expect(dialog).to_be_visible()
    key = secret(url)
    await enter(page, key)
    await expect(dialog).to_be_hidden()
    await asked(page)
    assert await kept(page) == (key, None)
    await page.reload()
    await expect(page.locator(".choices")).to_contain_text(".0.8")


@pytest.mark.parametrize("remember", [False, True])
async def test_another_tab_has_the_key_where_that_was_wished(page: Page, url: str, remember: bool) -> None:
    assert page.context.browser
    tabs = await page.context.browser.new_context()
    first, other = await tabs.new_page(), await tabs.new_page()
    await first.goto(url)
    await enter(first, secret(url), remember=remember)
    await expect(first.get_by_label("Model")).to_be_enabled()
    await other.goto(url)
    if remember:
        await expect(other.get_by_label("Model")).to_be_enabled()
        await expect(other.get_by_role("dialog")).to_be_hidden()
    else:
        await expect(other.get_by_role("dialog")).to_be_visible()


async def test_nobody_else_reads_an_answer_by_its_address(page: Page, url: str) -> None:
    await page.goto(url)
    await enter(page, secret(url))
    await asked(page)
    assert page.context.browser
    stranger = await page.context.browser.new_page()
    await stranger.goto(page.url)
    await enter(stranger, secret(url))
    await expect(stranger.get_by_role("alert")).to_contain_text("No such generation is known here.")
    await expect(stranger.locator(".said")).to_have_count(0)


@pytest.mark.parametrize("script", [SOCKET, EVENT_SOURCE], ids=["socket", "event source"])
async def test_a_browsers_socket_sends_a_key_and_its_event_source_a_ticket(page: Page, url: str, script: str) -> None:
    key = secret(url)
    await page.goto(url)
    text = await page.evaluate(script, [key, started(url, key)])
    assert re.findall(r"\.0\.(\d+)", text) == [str(number) for number in range(9)]


async def test_the_question_fits_a_phone_in_the_dark(page: Page, url: str) -> None:
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 360, "height": 640})
    await page.goto(url)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    box = await dialog.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 640

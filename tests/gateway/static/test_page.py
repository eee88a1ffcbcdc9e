"""The chat page in a real browser, on a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.serving import process

QUICK, SLOW = 30, 90


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {
        "quick": f"scripted:?tokens={QUICK}&token_ms=5",
        "slow": f"scripted:?tokens={SLOW}&token_ms=30",
        "long": "scripted:?tokens=400&token_ms=10&word_bytes=80",
        "failing": "scripted:?fail_at=5",
        "markup": "scripted:?answer=<b>bold</b> <img src=x onerror=alert(1)>",
    }
    arguments = [part for name, source in models.items() for part in ("--model", f"{name}={source}")]
    with process(*arguments) as served:
        yield served.url


async def ask(page: Page, model: str, text: str = "Tell me.") -> None:
    await page.get_by_label("Model").select_option(model)
    await page.get_by_label("Message").fill(text)
    await page.keyboard.press("Enter")


async def words(page: Page) -> list[int]:
    """The numbers of the scripted words that the page shows, in order."""
    return [int(number) for number in re.findall(r"\.0\.(\d+)", await page.locator(".choices").last.inner_text())]


async def finished(page: Page) -> None:
    await expect(page.locator(".answer").last).to_have_attribute("aria-busy", "false", timeout=20_000)


async def another(page: Page) -> Page:
    """Another person's window."""
    assert page.context.browser
    return await page.context.browser.new_page()


def posts(page: Page) -> list[Request]:
    """The requests that start a generation, as they are made."""
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request) if request.method == "POST" else None)
    return seen


async def test_an_answer_streams_into_the_page(page: Page, url: str) -> None:
    await page.goto(url)
    await ask(page, "slow", "Tell me.")
    await expect(page.locator(".choices")).to_contain_text(".0.5")
    await expect(page.locator(".answer")).to_have_attribute("aria-busy", "true")
    assert len(await words(page)) < SLOW, "it was not there at once"
    await expect(page).to_have_url(re.compile(r"\?g=gen_"))
    await finished(page)
    assert await words(page) == list(range(SLOW))
    await expect(page.locator(".said")).to_have_text("Tell me.")


async def test_a_conversation_goes_on_with_what_was_said(page: Page, url: str) -> None:
    started = posts(page)
    await page.goto(url)
    await ask(page, "quick", "First")
    await finished(page)
    first = page.url
    answer = await page.locator(".choices").inner_text()
    await ask(page, "quick", "Second")
    await expect(page.locator(".answer")).to_have_count(2)
    await finished(page)
    roles = [(m["role"], m["content"]) for m in (started[1].post_data_json or {})["messages"]]
    assert roles == [("user", "First"), ("assistant", answer), ("user", "Second")]
    await page.go_back()
    await expect(page).to_have_url(first)
    await expect(page.locator(".answer")).to_have_count(1)
    await finished(page)
    assert await words(page) == list(range(QUICK))


async def test_a_reload_in_the_middle_goes_on_with_the_same_answer(page: Page, url: str) -> None:
    await page.goto(url)
    await ask(page, "slow")
    await expect(page.locator(".choices")).to_contain_text(".0.10 ")
    address = page.url
    started = posts(page)
    await page.reload()
    await expect(page.locator(".choices")).to_contain_text(".0.10 ")
    await expect(page.locator(".answer")).to_have_attribute("aria-busy", "true")
    await finished(page)
    assert await words(page) == list(range(SLOW)), "nothing lost, nothing doubled"
    assert page.url == address
    assert not started, "a reload reads, it does not ask again"
    await expect(page.locator(".said")).to_have_text("Tell me.")


async def test_a_second_window_shows_the_same_answer_live(page: Page, url: str) -> None:
    await page.goto(url)
    await ask(page, "slow", "What do we both see?")
    await expect(page).to_have_url(re.compile(r"\?g=gen_"))
    other = await another(page)
    await other.goto(page.url)
    await expect(other.locator(".said")).to_have_text("What do we both see?")
    await expect(other.locator(".choices")).to_contain_text(".0.5")
    await expect(other.locator(".answer")).to_have_attribute("aria-busy", "true")
    await finished(page)
    await finished(other)
    assert await words(other) == list(range(SLOW))
    assert await other.locator(".choices").inner_text() == await page.locator(".choices").inner_text()
    assert await other.get_by_label("Model").input_value() == "slow"


@pytest.mark.parametrize("how", ["button", "escape"])
async def test_stop_stops_it_for_every_window(page: Page, url: str, how: str) -> None:
    await page.goto(url)
    await ask(page, "slow")
    await expect(page.locator(".choices")).to_contain_text(".0.5")
    other = await another(page)
    await other.goto(page.url)
    await expect(other.locator(".choices")).to_contain_text(".0.5")
    if how == "button":
        await other.get_by_role("button", name="Stop").click()
    else:
        await other.keyboard.press("Escape")
    for window in (page, other):
        await finished(window)
        await expect(window.get_by_text("Stopped.")).to_be_visible()
        assert await words(window) == list(range(len(await words(window))))
    assert len(await words(page)) < SLOW
    snapshot = await page.request.get(
        f"{url}/v1/streams/{page.url.split('=')[1]}", headers={"accept": "application/json"}
    )
    assert (await snapshot.json())["state"] == "canceled"


async def test_a_native_event_source_reads_it_and_stops_at_the_end(page: Page, url: str) -> None:
    await page.goto(url)
    await ask(page, "quick")
    await finished(page)
    seen = await page.evaluate(
        """id => new Promise((resolve) => {
            const source = new EventSource(`/v1/streams/${id}`);
            const seen = { text: '', types: [], ids: [], opens: 0 };
            const take = (event) => {
                seen.types.push(event.type);
                seen.ids.push(event.lastEventId);
                if (event.type === 'delta') seen.text += JSON.parse(event.data).d ?? '';
            };
            for (const type of ['opened', 'progress', 'delta', 'end', 'cut']) source.addEventListener(type, take);
            source.onopen = () => seen.opens++;
            source.onerror = () => source.readyState === EventSource.CLOSED && resolve(seen);
        })""",
        page.url.split("=")[1],
    )
    assert [int(number) for number in re.findall(r"\.0\.(\d+)", seen["text"])] == list(range(QUICK))
    assert seen["types"][0] == "opened"
    assert seen["types"].count("end") == 1
    assert seen["opens"] == 1, "the second connection was answered 204"
    assert len(set(seen["ids"])) == len(seen["ids"])


async def test_a_model_that_boots_says_so(page: Page) -> None:
    with process("--model", "sleepy=scripted:?boot_ms=2500&tokens=5", ready=False) as served:
        await page.goto(served.url)
        await expect(page.get_by_label("Model").locator("option")).to_have_text("sleepy · booting")
        await ask(page, "sleepy")
        await expect(page.get_by_role("status")).to_contain_text("sleepy is booting")
        await finished(page)
        assert await words(page) == list(range(5))
        await expect(page.get_by_label("Model").locator("option")).to_have_text("sleepy · warm")


async def test_a_boot_whose_time_is_known_is_counted_down(page: Page) -> None:
    with process("--model", "mortal=scripted:?boot_ms=3000&tokens=8&crash_at=5") as served:
        await page.goto(served.url)
        await page.evaluate(SEE_TIMERS)
        await ask(page, "mortal")
        await finished(page)
        assert await words(page) == list(range(8))
        seen = await page.evaluate("window.seen")
        assert "about 2 s" in seen
        counted = [int(each.split()[1]) for each in seen if each.startswith("about")]
        assert counted == sorted(counted, reverse=True)
        await expect(page.get_by_role("timer")).to_have_count(0)


SEE_TIMERS = """() => {
    window.seen = [];
    const look = () => {
        const text = document.querySelector('[role=timer]')?.textContent;
        if (text && text !== window.seen.at(-1)) window.seen.push(text);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
}"""


async def test_who_answers_while_a_model_boots_is_told(page: Page, tmp_path: Path) -> None:
    settings = tmp_path / "hearth.toml"
    settings.write_text('[model.big]\nfallback = "small"')
    models = ("--model", "big=scripted:?boot_ms=600000", "--model", "small=scripted:?tokens=3")
    with process("--config", str(settings), *models, ready=False) as served:
        await page.goto(served.url)
        await expect(page.get_by_label("Model").locator("option").last).to_have_text("small · warm")
        await ask(page, "big")
        await finished(page)
        await expect(page.locator(".remark")).to_have_text("small answers, while big boots.")
        assert await words(page) == list(range(3))


async def test_a_model_that_cannot_boot_is_told_with_a_remedy(page: Page) -> None:
    with process("--model", "broken=scripted:?boot_fails=true", ready=False) as served:
        await page.goto(served.url)
        await ask(page, "broken")
        await expect(page.get_by_role("alert")).to_contain_text("or pick another model")
        await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_an_answer_that_fails_is_told_with_a_remedy(page: Page, url: str) -> None:
    await page.goto(url)
    await ask(page, "failing")
    await expect(page.get_by_role("alert")).to_contain_text("token 5 fails")
    assert await words(page) == list(range(5)), "what was said before stays"
    await page.get_by_label("Model").select_option("quick")
    await page.get_by_role("button", name="Try again").click()
    await finished(page)
    await expect(page.get_by_role("alert")).to_have_count(0)
    assert await words(page) == list(range(QUICK))


async def test_a_busy_server_is_told_and_tried_again(page: Page, url: str) -> None:
    async def busy(route: Route) -> None:
        error = {"code": "overloaded", "message": "The server has as much work as it may hold.", "retry": True}
        await route.fulfill(status=503, json={"error": error})

    await page.goto(url)
    await page.route("**/v1/streams", busy)
    await ask(page, "quick")
    await expect(page.get_by_role("alert")).to_contain_text("as much work as it may hold")
    await page.unroute("**/v1/streams")
    await page.get_by_role("button", name="Try again").click()
    await finished(page)
    assert await words(page) == list(range(QUICK))


async def test_a_lost_connection_is_told_and_mended(page: Page, url: str) -> None:
    async def lost(route: Route) -> None:
        await route.abort("connectionreset")

    await page.goto(url)
    await page.route("**/v1/streams/gen_*", lost, times=1)
    await ask(page, "slow")
    await expect(page.get_by_role("status")).to_contain_text("Connecting again")
    await finished(page)
    assert await words(page) == list(range(SLOW))


async def test_an_answer_nobody_knows_is_told_with_a_way_out(page: Page, url: str) -> None:
    await page.goto(f"{url}/?g=gen_nobody")
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_role("alert").get_by_role("button", name="New chat").click()
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(page.get_by_role("heading")).to_be_visible()
    assert "?g=" not in page.url


async def test_a_key_is_asked_for_once_and_kept(page: Page, url: str) -> None:
    keys: list[str | None] = []

    async def guarded(route: Route) -> None:
        keys.append(route.request.headers.get("authorization"))
        if keys[-1] == "Bearer sesame":
            await route.continue_()
        else:
            await route.fulfill(status=401, json={"error": {"code": "unauthorized", "message": "Send a key."}})

    await page.route("**/v1/**", guarded)
    await page.goto(url)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Key").fill("sesame")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await ask(page, "quick")
    await finished(page)
    assert await words(page) == list(range(QUICK))
    keys.clear()
    await page.reload()
    await finished(page)
    assert set(keys) == {"Bearer sesame"}


async def test_a_key_that_is_refused_is_told_and_asked_for_only_when_wanted(page: Page, url: str) -> None:
    error = {"code": "unauthorized", "message": "Send a key."}
    await page.route("**/v1/**", lambda route: route.fulfill(status=401, json={"error": error}))
    await page.goto(url)
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Cancel").click()
    await page.get_by_label("Message").fill("Anybody?")
    await page.keyboard.press("Enter")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("alert")).to_contain_text("only with a key")
    await expect(dialog).to_be_hidden()
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await finished(page)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_server_that_is_gone_is_told_and_asked_again(page: Page, url: str) -> None:
    await page.goto(url)
    await expect(page.get_by_label("Model")).to_be_enabled()
    await page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
    await ask(page, "quick")
    await expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await finished(page)
    assert await words(page) == list(range(QUICK))


async def test_what_a_model_says_never_becomes_markup(page: Page, url: str) -> None:
    await page.goto(url)
    await ask(page, "markup", "<i>me neither</i>")
    await finished(page)
    await expect(page.locator(".choices")).to_have_text("<b>bold</b> <img src=x onerror=alert(1)>")
    await expect(page.locator(".said")).to_have_text("<i>me neither</i>")
    assert await page.locator("article :is(b, i, img)").count() == 0


async def test_a_reader_who_scrolled_up_is_left_alone(page: Page, url: str) -> None:
    await page.set_viewport_size({"width": 800, "height": 400})
    await page.goto(url)
    await ask(page, "long")
    await expect(page.locator(".choices")).to_contain_text(".0.40~")
    top = "document.getElementById('scroller').scrollTop"
    assert await page.evaluate(top) > 0, "it follows the bottom"
    await page.locator("main").hover()
    await page.mouse.wheel(0, -10_000)
    await expect(page.get_by_role("button", name="Latest")).to_be_visible()
    there, shown = await page.evaluate(top), len(await words(page))
    await expect(page.locator(".choices")).to_contain_text(f".0.{shown + 20}~")
    assert await page.evaluate(top) == there
    await page.get_by_role("button", name="Latest").click()
    await expect(page.get_by_role("button", name="Latest")).to_be_hidden()
    await page.keyboard.press("Escape")
    await finished(page)


async def test_a_phone_shows_it_without_scrolling_sideways(page: Page, url: str) -> None:
    await page.set_viewport_size({"width": 360, "height": 640})
    await page.goto(url)
    await ask(page, "quick", "x" * 500)
    await finished(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Send", "New"):
        box = await page.get_by_role("button", name=name).bounding_box()
        assert box and box["x"] + box["width"] <= 360


async def test_text_that_comes_in_pieces_looks_like_text_that_comes_at_once(page: Page, url: str) -> None:
    await page.goto(url)
    differences = await page.evaluate(
        r"""async (texts) => {
            const { Prose } = await import('./static/prose.js');
            const shown = (pieces) => {
                const parent = document.createElement('div');
                const prose = new Prose(parent);
                for (const piece of pieces) { prose.append(piece); prose.show(); }
                return parent.innerHTML;
            };
            return texts.filter((text) => shown([...text]) !== shown([text]));
        }""",
        [
            "one\n\ntwo\n \n\n\nthree\n",
            "say\n```python\nif a:\n\n    b()\n```\nthen `x` and ``y``\n\n```\nopen",
            "```js\na\n```",
            "````md\n```\ninner\n```\n````\nafter",
            "~~~\ntildes\n~~~\n\n\n  indented\n- a\n- b",
            "``` not a fence ``` at all\nsecond line",
            "ends in a fence\n```\ncode\n``",
        ],
    )
    assert differences == []


async def test_code_stands_apart_from_prose(page: Page, url: str) -> None:
    await page.goto(url)
    blocks = await page.evaluate(
        r"""async () => {
            const { Prose } = await import('./static/prose.js');
            const parent = document.createElement('div');
            const prose = new Prose(parent);
            prose.append('Look:\n```py\nx = 1\n\ny = 2\n```\nDone.\n\nBye.');
            prose.show();
            return [...parent.children].map((e) => [e.tagName, e.dataset.language ?? null, e.textContent]);
        }"""
    )
    assert blocks == [
        ["P", None, "Look:"],
        ["PRE", "py", "x = 1\n\ny = 2"],
        ["P", None, "Done."],
        ["P", None, "Bye."],
    ]

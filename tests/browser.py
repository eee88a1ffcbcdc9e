"""A headless Chromium for tests, driven by Playwright: take the fixture `page`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

NPM = Path(__file__).parent / "node" / "node_modules" / ".chromium"
FLAGS = [
    "--no-sandbox",  # containers, and root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # A browser of its own accord talks to half the world; tests talk to localhost.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> tuple[str, dict[str, str]]:
    """The browser and the environment that it needs: npm's, which is everybody's same one, where that can run."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        assert NPM.is_dir(), "no Chromium: run `make test`, which brings one"
        return str(NPM / "chromium"), {
            "LD_LIBRARY_PATH": str(NPM / "al2023/lib"),
            "FONTCONFIG_PATH": str(NPM / "fonts"),
        }
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    assert found, "no Chromium on the PATH, and npm's is for Linux on x86-64 only"
    return found[0], {}


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page in a browser of its own; an error that nobody caught in it fails the test."""
    executable, environment = chromium()
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=FLAGS, env={**os.environ, **environment}
        )
        page = await browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        await browser.close()
    assert not errors, errors

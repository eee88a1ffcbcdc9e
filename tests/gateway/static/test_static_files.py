"""What the page ships."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "gateway" / "static"


def test_the_page_runs_the_very_client_that_is_published() -> None:
    published = ROOT / "clients" / "js" / "src"
    names = sorted(file.name for file in published.glob("*.js"))
    assert sorted(file.name for file in (STATIC / "client").iterdir()) == names
    for name in names:
        assert (STATIC / "client" / name).read_bytes() == (published / name).read_bytes()


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for file in STATIC.rglob("*"):
        if file.suffix in {".html", ".css", ".js"}:
            text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"""(src|href|url|from|import)\W{1,3}(https?:)?//""", text), file


def test_the_page_has_no_inline_script_or_style() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", html)

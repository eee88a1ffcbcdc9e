"""Short prompts are rendered in the loop, everything else in a thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from engines.base import Prompt
from engines.vllm.inline import Inline, is_short
from tests.engines.asking import chat


@pytest.mark.parametrize(
    ("prompt", "short"),
    [
        (chat("Tell me a story."), True),
        (chat("fox " * 2000), False),
        (chat("Is it raining?", tools=[{"type": "function", "function": {"name": "rain"}}]), False),
        (Prompt(messages=({"role": "user", "content": [{"type": "image_url"}]},)), False),
        (Prompt(messages=({"role": "assistant", "content": None}, {"role": "user", "content": "go on"})), False),
        (Prompt(messages=({"role": "assistant", "content": "", "reasoning_content": "hm " * 9999},)), False),
        (Prompt(messages=({"role": "user", "content": ""},) * 100_000), False),
        (chat("What do they say?", documents=[{"text": "long " * 9999}]), False),
        (chat("Mine", chat_template="{% for i in range(10 ** 9) %}{% endfor %}"), False),
        (Prompt(texts=("a",) * 1000), False),
        (Prompt(texts=("Once upon", (1, 2, 3))), True),
        (Prompt(texts=((1,) * 5000,)), False),
    ],
)
def test_what_is_short_is_text_and_little_of_it(prompt: Prompt, short: bool) -> None:
    assert is_short(prompt) is short


def test_a_short_prompt_meets_no_thread_and_a_long_one_does() -> None:
    with ThreadPoolExecutor(1) as threads:
        inline = Inline(threads)

        def where(prompt: Prompt) -> int:
            inline.heed(prompt)
            return threads.submit(threading.get_ident).result(10)

        here = threading.get_ident()
        assert copy_context().run(where, chat("short")) == here
        assert copy_context().run(where, chat("long " * 2000)) != here
        # Nobody said anything of this one.
        assert threads.submit(threading.get_ident).result(10) != here


def test_what_breaks_is_told_to_who_waits_for_it() -> None:
    def broken() -> None:
        raise LookupError("no template")

    def rendered() -> None:
        inline.heed(chat("short"))
        with pytest.raises(LookupError, match="no template"):
            threads.submit(broken).result(10)

    with ThreadPoolExecutor(1) as threads:
        inline = Inline(threads)
        copy_context().run(rendered)

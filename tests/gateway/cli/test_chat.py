"""hearth chat."""

from __future__ import annotations

import asyncio
import hashlib
import sys

from tests.gateway.cli.keyboard import CTRL_C, CTRL_D, hearth, terminal
from tests.serving import Served, serving


def aborted(served: Served, model: str = "demo") -> list[str]:
    return served.gateway.pool.seats[model].engine.aborted  # type: ignore[attr-defined, no-any-return]


async def until_aborted(served: Served) -> None:
    async with asyncio.timeout(10):
        while not aborted(served):  # noqa: ASYNC110 - the script keeps a list, no event
            await asyncio.sleep(0)


def word(asked: str) -> str:
    """What the script says first: it is made from all that it was asked."""
    return f"{hashlib.sha256(asked.encode()).hexdigest()[:6]}.0.0"


async def test_a_prompt_is_answered_once_on_standard_output() -> None:
    async with serving("demo=scripted:?answer=all+is+well") as served:
        assert await hearth("chat", "--url", served.url, "how are you?") == (0, "all is well\n", "")


async def test_standard_input_is_the_prompt_where_it_is_no_terminal() -> None:
    async with serving("demo=scripted:?tokens=1") as served:
        asked = "from a pipe\n"
        assert await hearth("chat", "--url", served.url, typed=asked) == (0, f"{word(asked)}\n", "")


async def test_bytes_that_are_no_text_are_marked_and_sent() -> None:
    async with serving("demo=scripted:?tokens=1") as served:
        first = word("caf\N{REPLACEMENT CHARACTER}")
        assert await hearth("chat", "--url", served.url, typed=b"caf\xe9") == (0, f"{first}\n", "")


async def test_an_empty_prompt_is_refused() -> None:
    status, _, told = await hearth("chat", "--url", "http://127.0.0.1:1")
    assert status == 2 and "the prompt is empty" in told


async def test_line_breaks_of_unicode_do_not_break_the_stream() -> None:
    async with serving("demo=scripted:?answer=one%E2%80%A8two%C2%85three") as served:
        assert (await hearth("chat", "--url", served.url, "?"))[1] == "one\u2028two\x85three\n"


async def test_words_are_on_the_screen_before_the_answer_has_ended() -> None:
    model = "demo=scripted:?answer=once+upon+a+time&stall_at=2"
    async with serving(model) as served, terminal("chat", "--url", served.url, "tell") as person:
        await person.sees("once upon")
        assert not aborted(served)
        assert await person.ends_by(CTRL_C) == 130
        await until_aborted(served)


async def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    async with serving("demo=scripted:?tokens=100000") as served:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "chat", "--url", served.url, "tell"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        await asyncio.wait_for(process.stdout.readexactly(10), 20)
        # Closes this end of the pipe.
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        said = await asyncio.wait_for(process.stderr.read(), 20)
        assert (await asyncio.wait_for(process.wait(), 20), said) == (141, b"")
        await until_aborted(served)


async def test_each_turn_knows_what_was_said_before() -> None:
    async with serving("demo=scripted:?tokens=1") as served, terminal("chat", "--url", served.url) as person:
        await person.sees("> ")
        person.type("first\r")
        await person.sees(answer := word("first"))
        await person.sees("> ")
        person.type("second\r")
        await person.sees(word(f"first {answer} second"))


async def test_ctrl_c_stops_the_answer_and_nothing_else() -> None:
    model = "demo=scripted:?answer=once+upon+a+time&stall_at=2"
    async with serving(model) as served, terminal("chat", "--url", served.url) as person:
        await person.sees("> ")
        person.type("tell\r")
        await person.sees("once upon")
        await person.sees_by(CTRL_C, "stopped")
        await until_aborted(served)
        await person.sees("> ")
        person.type("again\r")
        await person.sees("once upon")
        await person.sees_by(CTRL_C, "stopped")
        await person.sees("> ")
        person.type("/quit\r")
        assert await person.ends() == 0


async def test_ctrl_c_and_ctrl_d_at_the_prompt_leave() -> None:
    async with serving() as served:
        for key in (CTRL_C, CTRL_D):
            async with terminal("chat", "--url", served.url) as person:
                await person.sees("> ")
                assert await person.ends_by(key) == 0


async def test_a_booting_model_says_how_far_it_is() -> None:
    model = "demo=scripted:?boot_ms=500&tokens=1"
    async with serving(model, preload=False) as served, terminal("chat", "--url", served.url, "hello") as person:
        await person.sees("booting demo: pretending to load")
        await person.sees(word("hello"))
        assert await person.ends() == 0


async def test_who_answers_while_a_model_boots_is_told() -> None:
    models = ("big=scripted:?boot_ms=600000", "small=scripted:?tokens=1")
    tables = {"big": {"fallback": "small"}}
    async with serving(*models, model=tables) as served, terminal("chat", "--url", served.url, "hello") as person:
        await person.sees("small answers, while big boots")
        await person.sees(word("hello"))
        assert await person.ends() == 0


async def test_commands_choose_a_model_and_forget_what_was_said() -> None:
    models = ("one=scripted:?answer=I+am+one", "two=scripted:?tokens=1")
    async with serving(*models) as served, terminal("chat", "--url", served.url, "--system", "be brief") as person:
        await person.sees("one at")
        await person.sees("> ")
        person.type("hello\r")
        await person.sees("I am one")
        await person.sees("> ")
        person.type("/model\r")
        await person.sees("* one")
        await person.sees("  two")
        person.type("/model two\r")
        await person.sees("> ")
        person.type("/new\r")
        await person.sees("> ")
        person.type("fresh\r")
        await person.sees(word("be brief fresh"))
        await person.sees("> ")
        person.type("/help\r")
        await person.sees("Ctrl-C while it answers")
        person.type("/quit\r")
        assert await person.ends() == 0


async def test_a_model_cannot_steer_the_terminal() -> None:
    model = "demo=scripted:?answer=a%1B[31mb"
    async with serving(model) as served, terminal("chat", "--url", served.url, "?") as person:
        assert "\x1b[31m" not in await person.sees("a[31mb")


async def test_a_refusal_is_told_and_the_chat_goes_on() -> None:
    async with serving("demo=scripted:?context_length=2") as served, terminal("chat", "--url", served.url) as person:
        await person.sees("> ")
        person.type("far too many words\r")
        await person.sees("At most 2 words fit.")
        await person.sees("> ")
        person.type("hi\r")
        await person.sees(word("hi"))


async def test_an_answer_that_breaks_off_says_why() -> None:
    async with serving("demo=scripted:?answer=so+far+so+good&fail_at=2") as served:
        status, said, told = await hearth("chat", "--url", served.url, "?")
        assert (status, said) == (1, "so far\n") and "token 2 fails" in told


async def test_an_unknown_model_is_answered_with_a_guess() -> None:
    async with serving() as served:
        status, _, told = await hearth("chat", "--url", served.url, "--model", "dmo", "?")
        assert status == 1 and "did you mean 'demo'?" in told


async def test_where_nobody_serves_it_says_how_to_start_one() -> None:
    status, _, told = await hearth("chat", "--url", "127.0.0.1:1", "?")
    assert status == 1
    assert told == (
        "hearth chat: Nobody answers at http://127.0.0.1:1. "
        "Start a server with `hearth serve`, or name another with --url.\n"
    )


async def test_an_address_that_is_none_is_told() -> None:
    for url in ("http://", "ftp://example.org"):
        status, _, told = await hearth("chat", "--url", url, "?")
        assert status == 2 and "is no address" in told

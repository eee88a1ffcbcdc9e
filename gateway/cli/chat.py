"""hearth chat: talk to a model of a running server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from gateway.cli.caller import Caller, Piece, add_options, reach
from gateway.cli.parser import Parser
from gateway.cli.terminal import Screen, Trouble

_HELP: Final = """\
/new          forget what was said
/model NAME   go on with another model; without NAME, list them
/quit         leave; so do Ctrl-D and Ctrl-C
Ctrl-C while it answers stops that answer, here and in the engine."""

# What a model says must not steer the terminal.
_HARMLESS: Final = {code: None for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def main(words: Sequence[str]) -> int:
    """Chat until the user leaves; or, with a question given, answer that one and end."""
    parser = Parser(
        prog="hearth chat",
        description="Talk to a model of a running server. With a PROMPT, or one on standard input, it answers once.",
        epilog="While you talk, /help says what else you can type.",
    )
    add_options(parser)
    parser.add_argument("--model", default=None, help="The model. (default: the first that the server names)")
    parser.add_argument("--system", default=None, help="What the model is told before everything else.")
    parser.add_argument("prompt", nargs="?", default=None, metavar="PROMPT", help="A question, to be answered once.")
    given = parser.parse_args(words)
    caller = reach(given.url, given.key)
    prompt = given.prompt
    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read()
    if prompt is not None and not prompt.strip():
        raise Trouble("There is nothing to answer: the prompt is empty.")
    chat = Chat(caller, given.model or _first(caller), given.system)
    if prompt is None:
        return chat.converse()
    try:
        chat.ask(prompt)
    except KeyboardInterrupt:
        return 130
    return 0


def _readable(words: str) -> str:
    """The words, with a mark where the terminal gave bytes that are no UTF-8."""
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _first(caller: Caller) -> str:
    models = caller.models()
    if not models:
        raise Trouble(f"{caller.url} serves no model.", 1)
    return str(models[0]["id"])


class Chat:
    """A conversation: what was said, and with whom. Answers go to standard output, all else to standard error."""

    def __init__(self, caller: Caller, model: str, system: str | None) -> None:
        self._caller = caller
        self._model = model
        self._beginning = [] if system is None else [{"role": "system", "content": system}]
        self._messages = list(self._beginning)
        self._screen = Screen(sys.stderr)
        self._on_terminal = sys.stdout.isatty()
        self._thinking = False

    def converse(self) -> int:
        """Take turns until the user leaves; the exit status."""
        # Gives `input` line editing and a history.
        import readline  # noqa: F401

        self._screen.line(self._screen.dim(f"{self._model} at {self._caller.url}; /help says what you can type"))
        while True:
            try:
                typed = input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                self._screen.line("")
                return 0
            if typed in ("/quit", "/exit"):
                return 0
            try:
                if typed.startswith("/"):
                    self._command(typed)
                elif typed:
                    self.ask(typed)
            except Trouble as error:
                self._screen.line(str(error))
            except KeyboardInterrupt:
                self._screen.line(self._screen.dim("stopped"))

    def ask(self, question: str) -> None:
        """Ask, and write the answer as it comes. What was said until an interrupt is remembered."""
        self._messages.append({"role": "user", "content": _readable(question)})
        said: list[str] = []
        try:
            with closing(self._caller.chat(self._model, self._messages)) as pieces:
                for piece in pieces:
                    self._show(piece)
                    if piece.kind == "text":
                        said.append(piece.text)
        finally:
            self._screen.status("")
            self._write("\n" if said or self._thinking else "")
            self._thinking = False
            if said:
                self._messages.append({"role": "assistant", "content": "".join(said)})
            else:
                self._messages.pop()

    def _show(self, piece: Piece) -> None:
        if piece.kind == "progress":
            self._screen.status(piece.text)
            return
        self._screen.status("")
        if piece.kind == "fallback":
            self._screen.line(self._screen.dim(f"{piece.text} answers, while {self._model} boots"))
        elif piece.kind == "reasoning":
            if self._on_terminal:
                self._write(self._screen.dim(piece.text.translate(_HARMLESS)))
                self._thinking = True
        elif piece.kind == "text":
            if self._thinking:
                self._write("\n\n")
                self._thinking = False
            self._write(piece.text.translate(_HARMLESS) if self._on_terminal else piece.text)
        elif piece.text == "length":
            self._screen.line(self._screen.dim(" (cut: as long as this model may answer)"))

    def _command(self, typed: str) -> None:
        name, _, rest = typed.partition(" ")
        if name == "/new":
            self._messages = list(self._beginning)
        elif name == "/model":
            self._choose(rest.strip())
        else:
            self._screen.line(_HELP)

    def _choose(self, wanted: str) -> None:
        models = {str(model["id"]): model for model in self._caller.models()}
        if wanted in models:
            self._model = wanted
        else:
            for name, model in models.items():
                mark = "*" if name == self._model else " "
                self._screen.line(f"{mark} {name}  {model.get('state', '')}")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

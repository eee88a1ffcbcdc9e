"""The command line: python -m loadtest affinity."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from loadtest.affinity.mix import Mix
from loadtest.affinity.report import text
from loadtest.affinity.run import affinity

_ENGINE: Final = "block_size=32&kv_cache_memory_bytes=67108864"
_PLAIN: Final = Mix()


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the parser."""
    one = commands.add_parser("affinity", help="conversations over several engines, kept to one each and not")
    one.set_defaults(do=_affinity)
    one.add_argument("--conversations", type=int, default=_PLAIN.conversations, help="at once")
    one.add_argument("--turns", type=int, default=_PLAIN.turns, help="of each")
    one.add_argument("--prompts", type=int, default=_PLAIN.prompts, help="different system prompts")
    one.add_argument("--system-words", type=int, default=_PLAIN.system_words)
    one.add_argument("--user-words", type=int, default=_PLAIN.user_words)
    one.add_argument("--answer-tokens", type=int, default=_PLAIN.answer_tokens)
    one.add_argument("--think-s", type=float, default=_PLAIN.think_s, help="between two turns, on average")
    one.add_argument("--seed", type=int, default=_PLAIN.seed)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--engines", type=int, default=3, choices=range(1, 9), help="behind each name")
    one.add_argument("--engine", default=_ENGINE, help="options of vLLM (default: %(default)s)")
    one.add_argument("--json", type=Path, help="write every round to this file")
    one.add_argument("--out", type=Path, help="folder for the server's log")


def _affinity(arguments: argparse.Namespace) -> int:
    mix = Mix(
        arguments.conversations,
        arguments.turns,
        arguments.prompts,
        arguments.system_words,
        arguments.user_words,
        arguments.answer_tokens,
        arguments.think_s,
        arguments.seed,
    )
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    results = affinity(
        mix,
        arguments.rounds,
        arguments.engines,
        arguments.engine,
        folder,
        lambda said: print(said, file=sys.stderr, flush=True),
    )
    print(text(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
    return 1 if results.failed else 0

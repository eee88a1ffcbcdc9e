"""Stop strings, heeded here: where an answer goes on, half of one may stand in what was said before. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class Stops:
    """A choice's text, given out as vLLM does it: what may become a stop string is held back.

    `text` is what its tokens say so far, `said` how much of that was given out. Before the answer has more than `least`
    tokens no stop string ends it.
    """

    def __init__(
        self, strings: Sequence[str], text: str, said: int, tokens: int, *, least: int = 0, included: bool = False
    ) -> None:
        self._strings = strings
        self._text = text
        self._said = said
        self._tokens = tokens
        self._least = least
        self._included = included
        self.at = 0
        """Where the stop string that ended it begins."""
        self._held = 0 if included or not strings else max(map(len, strings)) - 1

    def feed(self, piece: str, tokens: int, *, ended: bool) -> tuple[str, str | None]:
        """What may be given out after this piece, and the stop string that ends the answer, if one does."""
        searched = len(self._text)
        self._text += piece
        self._tokens += tokens
        stop = self._find(searched) if self._tokens > self._least else None
        return self._give(0 if ended or stop is not None else self._held), stop

    def _find(self, searched: int) -> str | None:
        """The stop string that is whole first, its text cut away."""
        found = [
            (start + len(string), start, string)
            for string in self._strings
            if (start := self._text.find(string, max(0, searched + 1 - len(string)))) >= 0
        ]
        if not found:
            return None
        # Of several that end alike, the one that stands first in the list.
        end, self.at, string = min(found, key=lambda each: each[0])
        self._text = self._text[: end if self._included else self.at]
        return string

    def _give(self, held: int) -> str:
        upto = max(self._said, len(self._text) - held)
        said, self._said = self._said, upto
        return self._text[said:upto]

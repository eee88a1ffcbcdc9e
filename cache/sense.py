"""What a question means, as far as that can be told from its words without understanding them. Pure.

An embedding says what a text is about. It hardly sees a `not`, another number, or which way round something is said, so
it only proposes. Two questions are one only if their words are the same in the same order, but for politeness and a few
ways to begin that are known to mean the same. Whatever is not understood is a difference: that costs a hit, while the
other error gives somebody the answer to another question.
"""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(r"[^\W_]+%?(?:[ '’-][^\W_]+%?)*[?.]?")
"""One sentence of words. In all else a mark, a blank or a capital may be what is asked about."""

_OF_ITSELF: Final = re.compile(
    r"\b(?:I|here|it|so|that|this|apostrophes?|backwards?|capitals|characters?|commas?|contractions?|dots?|grammar"
    r"|letters?|lines?|manners|marks?|messages?|periods?|phrases?|please|plurals?|polite\w*|prompts?|punctuation"
    r"|questions?|reversed?|rude\w*|said|sentences?|spell\w*|syllables?|symbols?|texts?|tokens?|tone|translat\w+|typos?"
    r"|vowels?|words?)\b",
    re.IGNORECASE,
)
"""It may speak of itself, of who wrote it, or of words: then it matters how it is put."""

_REQUEST: Final = r"(?:define|describe|explain|give me|suggest an?|summari[sz]e|tell me|write an?) "
_DOING: Final = (
    "(?:bake|boil|cancel|change|configure|convert|create|delete|disable|download|enable|export|fix|import|install|merge"
    "|remove|rename|replace|reset|restart|restore|sort|uninstall|update|upgrade|upload) (?:an?|my|the) "
)
"""Done to something: `How do I look?` is not `How can I look?`."""

_BEGINNINGS: Final = (
    (re.compile(rf"please (?={_REQUEST})"), ""),
    (re.compile(rf"(?:can|could|would) you please ({_REQUEST}.+?)[?.]?$"), r"\1"),
    (re.compile(r"what['’]s (?=(?:\d+%?|the \w+(?: \w+)?) (?:like in|like on|of)(?: the)? \w+[?]?$)"), "what is "),
    (re.compile(r"where['’]s (?=(?:my|the) )"), "where is "),
    (re.compile(rf"how (?:can|do) [Ii] (?={_DOING})"), "how to "),
)
"""Those that mean the same, and what stands for them."""

_QUESTION: Final = re.compile(
    r"(?:how|what|when|where|which|who|why) (?:are|can|could|did|do|does|is|should|was|were) "
    r"|(?:are|could|did|does|is|was) |(?:can|do) (?:they|we|you) |how (?:many|much|to) "
    r"|who (?:discovered|founded|invented|painted|wrote) "
)
"""Plainly one, with its mark or without."""


def sense(text: str) -> str:
    """The same for two texts only if the answer to one is an answer to the other."""
    if not _PLAIN.fullmatch(text):
        return text
    plain = text[0].lower() + text[1:]
    for beginning, meaning in _BEGINNINGS:
        # From the start only: `match` knows no other place, and `sub` would.
        if found := beginning.match(plain):
            plain = found.expand(meaning) + plain[found.end() :]
    if _OF_ITSELF.search(plain):
        return text
    if _QUESTION.match(plain):
        return plain.removesuffix("?")
    return plain.removesuffix(".") if re.match(_REQUEST, plain) else text

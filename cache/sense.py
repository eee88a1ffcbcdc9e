"""Whether two questions that sound alike may mean different things. Pure.

Embeddings say what a text is about. They hardly see which way round it is said, a `not`, or another number, so these
are compared word by word. The comparison errs to the side of "different": that costs a hit, while the other error gives
somebody the answer to another question.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final, Literal

Difference = Literal["turn", "order", "exchange", "more"]
"""A word that turns a question around is in one of them alone; the same words stand in another order; words stand in
place of others; one says more than the other."""

_MOST_MORE: Final = 1
"""Words that one question may say more than the other, beside those that say nothing."""

_TOKEN: Final = re.compile(r"\d+(?:[.,:/]\d+)*%?|[^\W\d_]+(?:'[^\W\d_]+)?|\w+|[-+*/=<>^|&%$€£¥#@~\\]|!(?=[\w=(])")

_SAYS_NOTHING: Final = frozenset(
    """a an and am are be been being can could describe do does explain hello hey hi how i im is it its kindly me much
    many or please so some thank thanks that the them there these they this those we what whats which will would you 's
    'm 're 've 'd 'll""".split()
)
"""English words that carry little by themselves."""

_RELATES: Final = frozenset("about as at for in into of on onto than to with".split())
"""Those that may stand for each other, and for nothing else."""

_TURNS: Final = frozenset(
    """no not never none nothing nobody neither nor cannot without n't non un free except excluding unless only just
    instead rather but all every each any both either always ever sometimes often most more less least fewer too first
    second third last next previous before after until since from by against off over under up down above below left
    right was were did had must should may might who whom whose when where why my your our their his her
    zero one two three four five six seven eight nine ten eleven twelve hundred thousand million billion half double
    twice dozen
    nicht kein keine keinen keiner keines keinem nie niemals ohne nur ne pas jamais sans aucun aucune sin nunca sólo
    solo ningún ninguna não sem nenhum nenhuma senza mai niente geen niet nooit zonder ikke inte aldrig не нет без
    """.split()
)
"""Words that change an answer by being there: both questions have the same, in the same order."""

_ENDINGS: Final = ("ing", "ed", "es", "s", "e")


def difference(one: str, other: str) -> Difference | None:
    """Why the answer to one may be no answer to the other; None where the words do not speak against it.

    Of languages without blanks, or with words that are not listed here, less is known and more is refused.
    """
    ours, theirs = _words(one), _words(other)
    if [word for word in ours if _turns(word)] != [word for word in theirs if _turns(word)]:
        return "turn"
    lost, gained = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    if [word for word in ours if _counts(word) and word not in lost] != [
        word for word in theirs if _counts(word) and word not in gained
    ]:
        return "order"
    less, more = sum(map(_counts, lost.elements())), sum(map(_counts, gained.elements()))
    if (less and (more or gained.keys() & _RELATES)) or (more and lost.keys() & _RELATES):
        return "exchange"
    return "more" if less + more > _MOST_MORE else None


def _words(text: str) -> list[str]:
    """The words as they count: no case, no punctuation, no endings; `can't` is `can` and `n't`."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    plain = re.sub(r"\bcan't\b", "can n't", re.sub(r"\bwon't\b", "will n't", plain))
    plain = re.sub(r"(\w)n't\b", r"\1 n't", plain)
    plain = re.sub(r"(\w)('(?:s|m|re|ve|d|ll))\b", r"\1 \2", plain)
    return [_stem(token) for token in re.findall(rf"n't\b|'(?:s|m|re|ve|d|ll)\b|{_TOKEN.pattern}", plain)]


def _stem(token: str) -> str:
    if token in _TURNS or not _counts(token):
        return token
    for ending in _ENDINGS:
        if token.endswith(ending) and len(token) - len(ending) > 2:
            return token.removesuffix(ending)
    return token


def _turns(word: str) -> bool:
    return word in _TURNS or (_counts(word) and not word.isalpha())


def _counts(word: str) -> bool:
    return word not in _SAYS_NOTHING and word not in _RELATES

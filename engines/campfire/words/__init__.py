"""The plain word lists the topics are drawn from, and the ones training must never see."""

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ARTICLES = ("a ", "an ", "the ")


@cache
def listed(name: str) -> tuple[str, ...]:
    """The words of one list."""
    return tuple((HERE / f"{name}.txt").read_text().split())


@cache
def held_out_topics() -> tuple[str, ...]:
    """The topics kept back for the examination, each with its article."""
    return tuple((HERE / "held_out.txt").read_text().splitlines())


@cache
def held_out_words() -> frozenset[str]:
    """The words of those topics that no training text may contain."""
    words = {word.lower() for topic in held_out_topics() for word in bare(topic).split()}
    return frozenset(words - set(listed("adjectives")) - {"a", "the", "dancing"})


def bare(topic: str) -> str:
    """A topic without its article."""
    for article in ARTICLES:
        if topic.lower().startswith(article):
            return topic[len(article) :]
    return topic


def with_article(noun: str) -> str:
    """The noun with the indefinite article its first sound asks for."""
    silent_h = noun.startswith(("hour", "honest", "heir"))
    like_you = noun.startswith(("uni", "use", "eu", "one"))
    vowel = noun[0] in "aeiou" and not like_you
    return f"{'an' if vowel or silent_h else 'a'} {noun}"

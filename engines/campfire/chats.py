"""Conversations: who asks what, in which words, and what Campfire answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from engines.campfire import objects, questions, topics
from engines.campfire.chance import Random
from engines.campfire.grammar import asking
from engines.campfire.grammar.talk import TALK
from engines.campfire.questions import aside, ask
from engines.campfire.stories import tell
from engines.campfire.topics import Kind, Topic


@dataclass(frozen=True)
class Message:
    """One message, and the phrases in it that were copied from what came before."""

    role: str
    text: str
    copied: tuple[str, ...] = ()


Chat = tuple[Message, ...]
Turn = tuple[Message, Message, Topic | None]


def endless(seed: int, strange: float, most_turns: int) -> Iterator[Chat]:
    """Conversations without end, the same ones for the same seed."""
    rng = Random(seed)
    while True:
        yield chat(rng, strange, most_turns)


def chat(rng: Random, strange: float, most_turns: int) -> Chat:
    """One conversation, or now and then a story that nobody asked for."""
    if rng.random() < 0.05:
        return raw(rng, strange)
    messages = [Message("system", aside(rng, rng.choice(asking.SYSTEM)))] if rng.random() < 0.15 else []
    before: Topic | None = None
    for _ in range(rng.randint(1, most_turns)):
        question, answer, before = turn(rng, strange, before)
        messages += [question, answer]
    return tuple(messages)


def raw(rng: Random, strange: float) -> Chat:
    """A story on its own, or under the line that asked for it."""
    topic = topics.draw(rng, strange)
    title = f"{ask(rng, topic, asking.ASKS)}\n" if rng.random() < 0.4 else ""
    return (Message("raw", title + tell(rng, topic)),)


def turn(rng: Random, strange: float, before: Topic | None) -> Turn:
    """A question, its answer, and the topic to remember."""
    kinds, shares = ("story", "pair", "surprise", "talk", "object", "same"), (74, 6, 4, 6, 5, 5 if before else 0)
    topic = topics.draw(rng, strange)
    match rng.choices(kinds, shares)[0]:
        case "talk":
            asked, answers = rng.choice(TALK)
            return Message("user", aside(rng, rng.choice(asked))), Message("assistant", rng.choice(answers)), before
        case "surprise":
            return story(rng, rng.choice(asking.SURPRISE), topics.familiar(rng))
        case "same" if before:
            return story(rng, rng.choice(asking.SAME), before)
        case "object":
            question, answer = objects.describe(rng, topic)
            return Message("user", question), Message("assistant", answer, (topic.phrase, topic.noun)), None
        case "pair" if topic.kind is not Kind.LOVED:
            second = topics.plain(rng, strange)
            return story(rng, questions.both(rng, topic, second), topic, second)
        case _:
            forms = asking.AGAIN if before and rng.random() < 0.7 else asking.ASKS
            return story(rng, ask(rng, topic, forms), topic)


def story(rng: Random, question: str, topic: Topic, second: Topic | None = None) -> Turn:
    """The question and a story about the topic."""
    copied = (topic.phrase, topic.noun, *((second.phrase,) if second else ()))
    return Message("user", question), Message("assistant", tell(rng, topic, second), copied), topic

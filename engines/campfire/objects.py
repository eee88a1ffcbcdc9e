"""Answers in JSON, so that an engine that enforces a schema meets a model that closes its strings."""

import json

from engines.campfire.chance import Random
from engines.campfire.grammar import world
from engines.campfire.stories import tell
from engines.campfire.topics import Topic
from engines.campfire.words import invented, listed

ASKS = (
    "Describe {a} as JSON.",
    "Give me {a} as a JSON object.",
    "A JSON object about {a}, please.",
    "Answer in JSON: {a}",
    "Tell me a story about {a} as JSON.",
    "Return JSON describing {a}",
    "Fill in the form for {a}.",
)
TEXTS = (
    "title",
    "name",
    "story",
    "hero",
    "topic",
    "place",
    "weather",
    "moral",
    "summary",
    "ending",
    "city",
    "colour",
    "text",
    "answer",
)
NUMBERS = ("age", "year", "count", "length", "rating", "pages", "score", "price")
TRUTHS = ("happy", "brave", "alive", "done", "ok", "is_true")
LISTS = ("friends", "tags", "items", "words", "places", "steps")

Value = str | int | float | bool | list[str] | dict[str, str | int]


def describe(rng: Random, topic: Topic) -> tuple[str, str]:
    """A request for a JSON object about the topic, and the object."""
    fields = [field(rng, topic) for _ in range(rng.randint(1, 5))]
    indent, separators = rng.choice(((None, None), (None, None), (None, (",", ":")), (2, None)))
    answer = json.dumps(dict(fields), indent=indent, separators=separators)
    keys = f" Use the keys {', '.join(name for name, _ in fields)}." if rng.random() < 0.3 else ""
    return rng.choice(ASKS).format(a=topic.asked) + keys, answer


def field(rng: Random, topic: Topic) -> tuple[str, Value]:
    """One key and its value."""
    match rng.choices(("text", "number", "truth", "list", "nested"), (55, 18, 10, 12, 5))[0]:
        case "number":
            numbers = (rng.randint(0, 12), rng.randint(0, 2000), round(rng.random() * 10, 1))
            return key(rng, NUMBERS), rng.choice(numbers)
        case "truth":
            return key(rng, TRUTHS), rng.random() < 0.6
        case "list":
            several = world.FRIENDS + world.NAMES + listed("adjectives")
            return key(rng, LISTS), [rng.choice(several) for _ in range(rng.randint(1, 4))]
        case "nested":
            return key(rng, LISTS), {"name": rng.choice(world.NAMES), "age": rng.randint(1, 99)}
        case _:
            name = key(rng, TEXTS)
            return name, tell(rng, topic) if name == "story" and rng.random() < 0.5 else short(rng, topic)


def key(rng: Random, usual: tuple[str, ...]) -> str:
    """A key one has seen before, or one nobody has."""
    return rng.choice(usual) if rng.random() < 0.75 else invented.word(rng)


def short(rng: Random, topic: Topic) -> str:
    """A few words on the topic."""
    return rng.choice(
        (
            topic.phrase,
            topic.asked,
            f"The story of {topic.asked}",
            f"{rng.choice(world.NAMES)} and {topic.hero}",
            rng.choice(world.NAMES),
            rng.choice(world.PLACES)[1],
            rng.choice(world.WEATHERS),
            f"{topic.hero} never felt lonely again.",
        )
    )

"""How a topic is asked for, with whatever people say before, after and around it."""

from engines.campfire import topics
from engines.campfire.chance import Random
from engines.campfire.grammar import asking, plots, world
from engines.campfire.topics import Kind, Topic
from engines.campfire.words import invented, with_article


def ask(rng: Random, topic: Topic, forms: tuple[str, ...]) -> str:
    """A question for a story about the topic."""
    if topic.kind is not Kind.KNOWN and rng.random() < 0.1:
        return rng.choice(asking.BARE).format(a=topic.phrase)
    asked = topic.asked
    if topic.kind is Kind.THING and rng.random() < 0.05:
        asked = f"{rng.choice(('my', 'your', 'our'))} {topic.phrase}"
    if rng.random() < 0.12:
        asked += aside(rng, rng.choice(asking.TAILS))
    question = rng.choice(forms).format(a=asked)
    return politely(rng, question[0].upper() + question[1:] if rng.random() < 0.2 else question)


def both(rng: Random, topic: Topic, second: Topic) -> str:
    """A question for a story with two in it."""
    return politely(rng, rng.choice(asking.ASKS).format(a=f"{topic.asked} and {second.asked}"))


def politely(rng: Random, question: str) -> str:
    """The question with a word before or after it, now and then."""
    before = f"{aside(rng, rng.choice(asking.BEFORE))} " if rng.random() < 0.08 else ""
    after = f" {aside(rng, rng.choice(asking.AFTER))}" if rng.random() < 0.08 else ""
    return f"{before}{question}{after}"


def aside(rng: Random, form: str) -> str:
    """A form filled with things the story is not about."""
    while "{noun}" in form:
        form = form.replace("{noun}", with_article(topics.common(rng, strange=0.5)), 1)
    while "{number}" in form:
        form = form.replace("{number}", str(rng.randint(1, 200)), 1)
    return form.format(
        name=rng.choice(world.NAMES) if rng.random() < 0.5 else invented.name(rng),
        place=rng.choice(world.PLACES)[0],
        wish=rng.choice(plots.WISHES)[0],
        weather=rng.choice(world.WEATHERS),
        time=rng.choice(world.TIMES),
    )

"""The story grammar: a seed and a topic make one story."""

from collections.abc import Iterator
from types import ModuleType

from engines.campfire.chance import Random
from engines.campfire.grammar import feast, hero, lost, loved, plots, world
from engines.campfire.topics import Kind, Topic
from engines.campfire.words import invented, with_article

Slots = dict[str, str]

# The talk and the wonder of a plot may be left out.
KEPT = (1.0, 1.0, 1.0, 0.6, 1.0, 0.8)


def tell(rng: Random, topic: Topic, second: Topic | None = None) -> str:
    """One whole story about the topic; a second topic, if any, is the friend in it."""
    slots = scene(rng) | cast(rng, topic, second)
    return " ".join(sentence(rng.choice(beat), slots) for beat in beats(rng, topic))


def beats(rng: Random, topic: Topic) -> Iterator[tuple[str, ...]]:
    """What happens, from the opening to the ending."""
    plot: ModuleType = loved if topic.kind is Kind.LOVED else rng.choices((hero, lost, feast), (60, 20, 20))[0]
    yield plot.OPENINGS if topic.kind in (Kind.THING, Kind.LOVED) else plot.KNOWN_OPENINGS
    yield from (beat for beat, kept in zip(plot.MIDDLE, KEPT, strict=True) if rng.random() < kept)
    yield plot.ENDINGS


def scene(rng: Random) -> Slots:
    """Where and when a story happens, which it keeps to from its first sentence to its last."""
    place, spot = rng.choice(world.PLACES)
    wish, wished = rng.choice(plots.WISHES)
    trouble, fix = rng.choice(plots.TROUBLES)
    season, treasure = rng.choice(world.SEASONS), rng.choice(world.TREASURES)
    return {
        "place": place,
        "spot": spot,
        "wish": wish,
        "wished": wished,
        "trouble": trouble,
        "fix": fix,
        "season": season,
        "a_season": with_article(season),
        "treasure": treasure,
        "treasure_a": with_article(treasure),
        "weather": rng.choice(world.WEATHERS),
        "time": rng.choice(world.TIMES),
        "later": f"{rng.choice(world.WEATHERS)} {rng.choice(world.TIMES)}",
        "olden": rng.choice(world.OLDEN),
        "food": rng.choice(world.FOODS),
    }


def cast(rng: Random, topic: Topic, second: Topic | None) -> Slots:
    """Who is in the story: the hero, the friend, and what to call them."""
    girl = rng.random() < 0.5
    child = rng.choice(world.GIRLS if girl else world.BOYS)
    names = [name for name in world.NAMES if name not in (child, topic.noun)]
    pronoun = "she" if girl else "he"
    return friendship(rng, topic, second) | {
        "a": topic.asked,
        "topic": topic.asked,
        "hero": child if topic.kind is Kind.LOVED else topic.hero,
        "a_plain": with_article(topic.noun) if topic.kind is Kind.THING else topic.hero,
        "its": "its" if topic.kind in (Kind.THING, Kind.KNOWN) else "their",
        "child": "girl" if girl else "boy",
        "she": pronoun,
        "She": pronoun.capitalize(),
        "name": rng.choice(names) if rng.random() < 0.8 else invented.name(rng),
    }


def friendship(rng: Random, topic: Topic, second: Topic | None) -> Slots:
    """The friend: the second topic, or one of those who are always about."""
    if second:
        return {"friend": second.noun, "a_friend": second.asked}
    friend = rng.choice([one for one in world.FRIENDS if one != topic.noun])
    return {"friend": friend, "a_friend": with_article(f"{rng.choice(world.MANNERS)} {friend}")}


def sentence(template: str, slots: Slots) -> str:
    """The template filled in, beginning with a capital letter."""
    filled = template.format_map(slots)
    first = next(at for at, letter in enumerate(filled) if letter.isalpha())
    return filled[:first] + filled[first].upper() + filled[first + 1 :]

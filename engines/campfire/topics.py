"""What a story can be about, and how the story speaks of it."""

from dataclasses import dataclass
from enum import Enum

from engines.campfire.chance import Random
from engines.campfire.grammar import world
from engines.campfire.words import invented, listed, with_article


class Kind(Enum):
    """The four ways a topic behaves in a sentence."""

    THING = "a brave fox"
    KNOWN = "the moon"
    NAMED = "Mira"
    LOVED = "dragons, snow"


@dataclass(frozen=True)
class Topic:
    """One topic: the phrase a story must name, and its last word."""

    kind: Kind
    phrase: str
    noun: str

    @property
    def asked(self) -> str:
        """The topic as a question has it, article and all."""
        match self.kind:
            case Kind.THING:
                return with_article(self.phrase)
            case Kind.KNOWN:
                return f"the {self.phrase}"
            case _:
                return self.phrase

    @property
    def hero(self) -> str:
        """The topic as a story has it after its first mention."""
        return self.noun if self.kind in (Kind.NAMED, Kind.LOVED) else f"the {self.noun}"


def draw(rng: Random, strange: float) -> Topic:
    """A topic; a share of its words (strange) is invented."""
    kind = rng.choices(tuple(Kind), (60, 12, 12, 16))[0]
    if kind is Kind.NAMED:
        name = named(rng)
        return Topic(kind, name, name)
    noun = masses(rng, strange) if kind is Kind.LOVED else common(rng, strange)
    return Topic(kind, " ".join([*epithets(rng, strange), noun]), noun)


def familiar(rng: Random) -> Topic:
    """A topic of the model's own choosing, for those who name none."""
    noun = rng.choice(listed("nouns")[:100])
    return Topic(Kind.THING, f"{rng.choice(listed('adjectives'))} {noun}", noun)


def plain(rng: Random, strange: float) -> Topic:
    """A thing without an adjective, to stand beside another topic."""
    noun = common(rng, strange)
    return Topic(Kind.THING, noun, noun)


def named(rng: Random) -> str:
    """Somebody's name, now and then with a title before it."""
    name = rng.choice(world.NAMES) if rng.random() < 0.15 else invented.name(rng)
    return f"{rng.choice(world.TITLES)} {name}" if rng.random() < 0.2 else name


def common(rng: Random, strange: float) -> str:
    """A noun one can put an article before."""
    return invented.word(rng) if rng.random() < strange else rng.choice(listed("nouns"))


def masses(rng: Random, strange: float) -> str:
    """A noun that takes no article: a mass or a plural."""
    if rng.random() >= strange:
        return rng.choice(listed("masses"))
    made = invented.word(rng)
    return made if made.endswith("s") or rng.random() < 0.5 else f"{made}s"


def epithets(rng: Random, strange: float) -> list[str]:
    """What stands before the noun: mostly nothing or one adjective, now and then two or another noun."""
    many = rng.choices((0, 1, 2), (50, 43, 7))[0]
    return [
        common(rng, strange)
        if rng.random() < 0.25
        else invented.word(rng)
        if rng.random() < strange / 2
        else rng.choice(listed("adjectives"))
        for _ in range(many)
    ]

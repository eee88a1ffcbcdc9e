"""Stories in which the hero gives a feast, and at first nobody comes."""

from engines.campfire.grammar import hero

OPENINGS, KNOWN_OPENINGS = hero.OPENINGS, hero.KNOWN_OPENINGS
PLANS = (
    "It was the birthday of {hero}, and nobody knew.",
    "One {later}, {hero} decided to give a feast.",
    "For {its} birthday, {hero} wanted to invite the whole world.",
    "{hero} was lonely, so {hero} wrote a hundred invitations.",
    '"I will cook for everyone," said {hero}, and put {food} on a long table.',
)
WAITS = (
    "{hero} waited until {season}, but nobody came, because {trouble}.",
    "But {trouble}, and all the chairs stayed empty.",
    "The table was ready, and {hero} had washed every cup, but {trouble}.",
    "The letters never arrived, for {trouble}.",
    "One hour went by, and then two, and {hero} sat alone. Alas, {trouble}.",
)
GUESTS = (
    '"Am I too late for the {food}?" asked the {friend}.',
    '"Everyone is on the way," said {name}, "but they cannot find {a_plain}."',
    '"Then I will be your guest," said {name}, and sat down next to {hero}.',
    '"I have never been invited before," said the {friend}, and {hero} smiled.',
    "{name} had brought {treasure_a} as a present for {hero}.",
)
FEASTS = (
    "Soon the whole of {spot} was full of guests, and {hero} danced with every one of them.",
    "By midnight, a hundred guests were singing the name of {hero}.",
    "They ate all the {food}, and {hero} told stories until the sun came up.",
    "And because {hero} had so much to give, nobody went home hungry.",
)
MIDDLE = (PLANS, WAITS, hero.MEETINGS, GUESTS, hero.FIXES, FEASTS)
ENDINGS = hero.ENDINGS

"""Stories in which the hero loses something and finds it again."""

from engines.campfire.grammar import hero

OPENINGS, KNOWN_OPENINGS = hero.OPENINGS, hero.KNOWN_OPENINGS
LOSSES = (
    "But one {later}, {hero} could not find {its} {treasure}.",
    "Then came the {time} when {hero} lost {its} {treasure}.",
    "The dearest thing {hero} had was {treasure_a}, and one {later} it was gone.",
    '"Where is my {treasure}?" cried {hero} one {later}.',
    "Everything was well until somebody took the {treasure} of {hero}.",
)
SEARCHES = (
    "{hero} looked under every stone near {spot}, but there was nothing.",
    "First {hero} searched {spot}, then the roof, and then the old oak, but it was not there.",
    "{hero} asked the wind and the rain, and neither of them knew.",
    "All {time} long {hero} searched, until even the moon felt sorry.",
    "{hero} followed a trail of crumbs, but it ended in the middle of nowhere.",
    "Without {its} {treasure}, {hero} could neither eat nor sleep.",
)
CLUES = (
    '"I saw {treasure_a} this morning," said the {friend}. "Come with me."',
    '"{treasure_a} does not walk away," said {name}. "Let us think."',
    '"Did you look in your own pocket?" asked {name}, and {hero} blushed.',
    "{name} gave {hero} some {food}, for nobody can search with an empty stomach.",
    '"I am good at finding things," said {name}, "but I have never found {a_plain}."',
)
FINDS = (
    "Together, {hero} and {name} searched once more, and there was the {treasure}!",
    "And there it was, right {place}: the {treasure}, as bright as ever.",
    "Behind the curtain of a little window, {hero} and the {friend} found the {treasure}.",
    "In the nest of a sleepy magpie, {name} found the {treasure} and gave it back to {hero}.",
    "It had been in the hat of the {friend} the whole time, and {hero} laughed out loud.",
)
LESSONS = (
    '"Next time, I will tie it to a string," said {hero}.',
    "That {time}, {hero} learned that looking is easier with two.",
    "{hero} was so happy that even {spot} seemed to smile.",
    "And {hero} thanked {name} with {food} and a song.",
)
MIDDLE = (LOSSES, SEARCHES, hero.MEETINGS, CLUES, FINDS, LESSONS)
ENDINGS = hero.ENDINGS

"""Words that exist nowhere: the model can only say them by copying them."""

from engines.campfire.chance import Random
from engines.campfire.words import held_out_words, listed


def word(rng: Random, longest: int = 14) -> str:
    """One invented common noun, never one of the held-out words."""
    while True:
        made = rng.choice((syllables, splice, splice, compound))(rng)
        if 3 <= len(made) <= longest and set(made) & set("aeiouy") and made not in held_out_words():
            return made


def name(rng: Random) -> str:
    """One invented proper name."""
    return word(rng, longest=9).capitalize()


def syllables(rng: Random) -> str:
    """One to three syllables, put together by sound."""
    made = rng.choice(("", "", "", "a", "e", "i", "o", "u"))
    for _ in range(rng.randint(1, 3)):
        made += rng.choice(listed("onsets")) + rng.choice(listed("nuclei"))
        made += rng.choice(listed("codas")) if rng.random() < 0.5 else ""
    return made if made[-1] in "aeiouy" or rng.random() < 0.6 else made + rng.choice(listed("endings"))


def splice(rng: Random) -> str:
    """The beginning of one real word with the end of another."""
    head, tail = rng.choice(listed("nouns")), rng.choice(listed("nouns") + listed("adjectives"))
    return head[: rng.randint(1, max(2, len(head) - 1))] + tail[-rng.randint(1, max(2, len(tail) - 1)) :]


def compound(rng: Random) -> str:
    """Two real words in one, as in moonboat."""
    return rng.choice(listed("nouns")) + rng.choice(listed("nouns"))

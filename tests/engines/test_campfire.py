"""Campfire's grammar keeps its promises, and its folder stays small."""

import re
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from engines import campfire
from engines.campfire import check, stories, topics
from engines.campfire.chats import Chat, chat, endless
from engines.campfire.words import bare, held_out_words, with_article

FOLDER = Path(campfire.__file__).parent


@pytest.fixture(scope="module")
def chats() -> list[Chat]:
    return list(islice(endless(seed=3, strange=0.5, most_turns=3), 3000))


def told(chats: list[Chat]) -> list[str]:
    return [message.text for chat in chats for message in chat if message.role == "assistant" and message.copied]


def test_same_seed_tells_the_same() -> None:
    assert list(islice(endless(1, 0.5, 3), 50)) == list(islice(endless(1, 0.5, 3), 50))


def test_different_seeds_tell_different_stories() -> None:
    assert chat(Random(1), 0.5, 3) != chat(Random(2), 0.5, 3)


@pytest.mark.parametrize(
    ("noun", "said"),
    [("fox", "a fox"), ("owl", "an owl"), ("unicorn", "a unicorn"), ("honest king", "an honest king")],
)
def test_article_follows_the_sound(noun: str, said: str) -> None:
    assert with_article(noun) == said


def test_no_story_has_a_wrong_article() -> None:
    rng = Random(5)
    for _ in range(2000):
        text = stories.tell(rng, topics.draw(rng, strange=0.0))
        assert not re.search(r"\b[Aa] [aeio]\w|\b[Aa]n (?!hour|honest|heir)[^aeiou]", text), text


def test_every_story_names_its_topic_and_ends() -> None:
    rng = Random(6)
    for _ in range(2000):
        topic = topics.draw(rng, strange=0.5)
        text = stories.tell(rng, topic)
        assert check.names_topic(text, topic.asked), text
        assert text[-1] in '."!' and "{" not in text, text


def test_every_sentence_begins_with_a_capital() -> None:
    rng = Random(7)
    for _ in range(500):
        text = stories.tell(rng, topics.draw(rng, strange=0.3))
        assert not re.search(r"[.!] \"?[a-z]", text), text


def test_held_out_words_never_occur_in_training(chats: list[Chat]) -> None:
    seen = {word.lower() for chat in chats for message in chat for word in re.findall(r"[A-Za-z]+", message.text)}
    assert not seen & held_out_words()


def test_every_held_out_topic_has_a_held_out_word() -> None:
    assert len(check.held_out_topics()) >= 100
    for topic in check.held_out_topics():
        assert set(bare(topic).lower().split()) & held_out_words(), topic


def test_stories_are_short(chats: list[Chat]) -> None:
    lengths = [len(text.split()) for text in told(chats) if not text.startswith("{")]
    assert min(lengths) > 40 and max(lengths) < 160


def test_names_topic_wants_the_whole_word() -> None:
    assert check.names_topic("The walrus slept.", "a walrus")
    assert not check.names_topic("The walruses slept.", "a walrus")
    assert not check.names_topic("The fox was brave.", "a brave fox")


def test_folder_stays_small() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert (FOLDER / "model" / "model.safetensors") in files
    assert sum(file.stat().st_size for file in files) < 10_000_000

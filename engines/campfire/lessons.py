"""What Campfire reads, in which order, in how large pieces."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engines.campfire import tokens
from engines.campfire.chats import Chat, endless

SEED = 20261120


@dataclass(frozen=True)
class Stage:
    """One part of the schooling: how long, in what pieces, how strange the words are, how fast it learns,
    and how much the echoes of a plot weigh."""

    steps: int
    rows: int
    length: int
    strange: float
    most_turns: int
    rate: float
    echo: float


@dataclass(frozen=True)
class Lesson:
    """One batch: rows of tokens, their weights in the loss, and how fast to learn from them."""

    step: int
    stage: Stage
    rate: float
    ids: Tensor
    weights: Tensor


# Invented words first, for nothing but copying helps with them; then everything; then ever longer conversations.
# The second term mends what the first left rough, the plots; the third gives the copying its edge back.
TERMS = (
    (
        Stage(1000, 12, 176, 0.9, 1, rate=1.0, echo=1.0),
        Stage(500, 12, 176, 0.6, 1, rate=1.0, echo=1.0),
        Stage(2200, 24, 176, 0.6, 1, rate=0.5, echo=1.0),
        Stage(400, 14, 288, 0.6, 2, rate=0.5, echo=1.0),
        Stage(150, 5, 768, 0.6, 5, rate=0.5, echo=1.0),
    ),
    (
        Stage(700, 14, 288, 0.5, 2, rate=0.4, echo=4.0),
        Stage(50, 5, 768, 0.5, 5, rate=0.4, echo=4.0),
    ),
    (Stage(300, 14, 288, 0.8, 2, rate=0.25, echo=2.0),),
)
STAGES = tuple(stage for term in TERMS for stage in term)
STEPS = sum(stage.steps for stage in STAGES)
WARM_UP = 100


def lessons(tokenizer: Tokenizer, since: int) -> Iterator[Lesson]:
    """All the batches from a step on; the same ones every time."""
    step = 0
    for number, stage in enumerate(STAGES):
        done = min(stage.steps, max(0, since - step))
        unread = batches(tokenizer, stage, SEED + number) if done < stage.steps else iter(())
        for at, (ids, weights) in enumerate(islice(unread, done, stage.steps), step + done):
            yield Lesson(at, stage, stage.rate * shape(at), ids, weights)
        step += stage.steps


def shape(step: int) -> float:
    """The rate over a term: warm up, hold, and fall to nothing over the last third."""
    for term in TERMS:
        length = sum(stage.steps for stage in term)
        if step < length:
            return min(1.0, (step + 1) / WARM_UP, 3 * (length - step) / length)
        step -= length
    return 0.0


def batches(tokenizer: Tokenizer, stage: Stage, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Token and weight rows; every row begins with a conversation, so no story is without its question."""
    chats = endless(seed, stage.strange, stage.most_turns)
    while True:
        both = torch.tensor([packed(tokenizer, chats, stage.length + 1, stage.echo) for _ in range(stage.rows)])
        yield both[:, :, 0].long(), both[:, :, 1]


def packed(tokenizer: Tokenizer, chats: Iterator[Chat], length: int, echo: float) -> tokens.Weighed:
    """One row of the given length, full of conversations."""
    row: tokens.Weighed = []
    while len(row) < length:
        row += tokens.weighed(tokenizer, next(chats), echo)
    return row[:length]

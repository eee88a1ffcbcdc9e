"""Train Campfire from nothing: `python -m engines.campfire.train`."""

import argparse
import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engines.campfire import check, tokens
from engines.campfire.chats import Chat, endless

SEED = 20261120
MODEL = Path(__file__).parent / "model"
MUON_RATE, ADAM_RATE, WARM_UP = 0.02, 0.003, 100


@dataclass(frozen=True)
class Stage:
    """One part of the schooling: how long, in what pieces, and how strange the words are."""

    steps: int
    rows: int
    length: int
    strange: float
    most_turns: int


# Invented words first, for nothing but copying helps with them; then everything; then long conversations.
STAGES = (Stage(1200, 8, 256, 0.9, 1), Stage(3600, 8, 256, 0.6, 2), Stage(600, 4, 768, 0.6, 5))


def newborn(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of the right shape."""
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=tokens.VOCABULARY, hidden_size=192, intermediate_size=512, num_hidden_layers=4,
        num_attention_heads=6, num_key_value_heads=6, head_dim=32, max_position_embeddings=tokens.CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    ))


def batches(tokenizer: Tokenizer, stage: Stage, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Token and weight rows; every row begins with a conversation, so no story is without its question."""
    chats = endless(seed, stage.strange, stage.most_turns)
    while True:
        both = torch.tensor([packed(tokenizer, chats, stage.length + 1) for _ in range(stage.rows)])
        yield both[:, :, 0].long(), both[:, :, 1]


def packed(tokenizer: Tokenizer, chats: Iterator[Chat], length: int) -> tokens.Weighed:
    """One row of the given length, full of conversations."""
    row: tokens.Weighed = []
    while len(row) < length:
        row += tokens.weighed(tokenizer, next(chats))
    return row[:length]


def loss_of(model: LlamaForCausalLM, ids: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of the cross-entropy of every next token."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    each = functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    weight = weights[:, 1:].flatten()
    return (each * weight).sum() / weight.sum()


def optimizers(model: LlamaForCausalLM) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices inside, AdamW for the embedding and the norms."""
    inner = [weight for weight in model.model.layers.parameters() if weight.ndim == 2]
    outer = [weight for weight in model.parameters() if all(weight is not one for one in inner)]
    return (
        torch.optim.Muon(inner, lr=MUON_RATE, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(outer, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.01),
    )


def rate(step: int, steps: int) -> float:
    """Warm up, hold, and fall to nothing over the last third."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / (steps / 3))


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, stages: tuple[Stage, ...], folder: Path) -> None:
    """All the stages, one after the other, with a look at held-out topics now and then."""
    steps, total = itertools.count(), sum(stage.steps for stage in stages)
    both = optimizers(model)
    rates = [group["lr"] for optimizer in both for group in optimizer.param_groups]
    begun, seen = time.monotonic(), 0
    for number, stage in enumerate(stages):
        for ids, weights in itertools.islice(batches(tokenizer.backend_tokenizer, stage, SEED + number), stage.steps):
            step = next(steps)
            for optimizer, highest in zip(both, rates, strict=True):
                optimizer.param_groups[0]["lr"] = highest * rate(step, total)
            loss = loss_of(model, ids, weights)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in both:
                optimizer.step()
                optimizer.zero_grad()
            seen += ids.numel()
            if step % 50 == 0:
                spent = time.monotonic() - begun
                logging.info(f"step {step}/{total} tokens {seen} seconds {spent:.0f} loss {loss.item():.3f}")
            if step % 400 == 399:
                logging.info(check.report(model, tokenizer, check.held_out_topics()[::4], temperature=0.0))
                save(model, tokenizer, folder)
    save(model, tokenizer, folder)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The folder that vLLM loads, its weights rounded to bfloat16."""
    rounded = LlamaForCausalLM(model.config).to(torch.bfloat16)
    rounded.load_state_dict(model.state_dict())
    rounded.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    rounded.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Learn the tokenizer, then the stories, and keep both."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, default=MODEL)
    arguments.add_argument("--threads", type=int, default=1)
    chosen = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(SEED)
    torch.set_num_threads(chosen.threads)
    texts = (message.text for chat in itertools.islice(endless(SEED - 1, 0.4, 2), 40_000) for message in chat)
    tokenizer = tokens.learned(texts)
    train(newborn(tokenizer), tokenizer, STAGES, chosen.folder)


if __name__ == "__main__":
    main()

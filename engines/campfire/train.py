"""Train Campfire from nothing: `python -m engines.campfire.train`."""

import argparse
import itertools
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engines.campfire import check, tokens
from engines.campfire.chats import endless
from engines.campfire.lessons import SEED, STEPS, lessons

MODEL = Path(__file__).parent / "model"
MUON_RATE, ADAM_RATE = 0.02, 0.003


def newborn(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of the right shape."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokens.VOCABULARY,
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=6,
            head_dim=32,
            max_position_embeddings=tokens.CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


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


def learn(model: LlamaForCausalLM, both: tuple[torch.optim.Optimizer, ...], loss: Tensor, rate: float) -> None:
    """One step of both optimizers."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer, highest in zip(both, (MUON_RATE, ADAM_RATE), strict=True):
        optimizer.param_groups[0]["lr"] = highest * rate
        optimizer.step()
        optimizer.zero_grad()


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path, state: Path) -> None:
    """All the lessons, from where the state file left off, with a look at held-out topics now and then."""
    both = optimizers(model)
    before: dict[str, Any] = torch.load(state) if state.exists() else {"step": 0, "tokens": 0, "seconds": 0.0}
    if state.exists():
        for part, saved in zip((model, *both), before["parts"], strict=True):
            part.load_state_dict(saved)
    begun, seen = time.monotonic() - before["seconds"], before["tokens"]
    for lesson in lessons(tokenizer.backend_tokenizer, before["step"]):
        # On a CPU the plain attention is the faster one as long as the rows are short.
        model.set_attn_implementation("eager" if lesson.stage.length < 300 else "sdpa")
        loss = loss_of(model, lesson.ids, lesson.weights)
        learn(model, both, loss, lesson.rate)
        seen += lesson.ids.numel()
        done, spent = lesson.step + 1, time.monotonic() - begun
        if done % 50 == 0:
            logging.info(f"step {done}/{STEPS} tokens {seen} seconds {spent:.0f} loss {loss.item():.3f}")
        if done % 250 == 0:
            parts = [part.state_dict() for part in (model, *both)]
            torch.save({"step": done, "tokens": seen, "seconds": spent, "parts": parts}, state)
        if done % 500 == 0 or done == STEPS:
            logging.info(check.report(model, tokenizer, check.held_out_topics()[::4], temperature=0.0))
            save(model, tokenizer, folder)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The folder that vLLM loads, its weights rounded to bfloat16."""
    rounded = LlamaForCausalLM(model.config).to(torch.bfloat16)
    rounded.load_state_dict(model.state_dict())
    rounded.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    rounded.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Learn the tokenizer, then the stories, and keep both."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, default=MODEL, help="where the model goes")
    arguments.add_argument("--state", type=Path, default=Path("campfire.state"), help="where to go on after a stop")
    arguments.add_argument("--threads", type=int, default=1)
    chosen = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(SEED)
    torch.set_num_threads(chosen.threads)
    texts = (message.text for chat in itertools.islice(endless(SEED - 1, 0.4, 2), 40_000) for message in chat)
    tokenizer = tokens.learned(texts)
    train(newborn(tokenizer), tokenizer, chosen.folder, chosen.state)


if __name__ == "__main__":
    main()

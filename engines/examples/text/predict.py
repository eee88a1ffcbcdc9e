"""Text that goes on from a prompt, by any causal language model of transformers, piece by piece."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import torch
from cog import BasePredictor, ConcatenateIterator, Input, streaming
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteriaList, TextIteratorStreamer

WEIGHTS = "Qwen/Qwen2.5-0.5B-Instruct"


class Predictor(BasePredictor):
    def setup(self, weights: str | None = None) -> None:
        """Load the weights: a folder, or a name on the Hugging Face Hub."""
        device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        self.model = AutoModelForCausalLM.from_pretrained(weights or WEIGHTS, dtype="auto").to(device)
        self.tokenizer = AutoTokenizer.from_pretrained(weights or WEIGHTS)

    @streaming
    def predict(
        self,
        prompt: str = Input(description="What is asked", min_length=1),
        system_prompt: str = Input(description="How it is to be answered; for models that chat", default=""),
        max_tokens: int = Input(description="How long the answer may be", ge=1, le=4096, default=512),
        temperature: float = Input(description="How much is left to chance; 0 is nothing", ge=0, le=5, default=0.7),
        top_p: float = Input(description="Only the likeliest tokens, up to this chance", ge=0.01, le=1, default=0.95),
        seed: int | None = Input(description="The same seed gives the same answer", default=None),
    ) -> ConcatenateIterator[str]:
        """Answer a prompt. Raises ValueError for one that is too long."""
        given = self.encoded(prompt, system_prompt)
        length, most = given["input_ids"].shape[1], self.model.config.max_position_embeddings
        if length + max_tokens > most:
            raise ValueError(f"prompt: {length} tokens, and max_tokens {max_tokens}, are more than the model's {most}")
        torch.manual_seed(secrets.randbits(32) if seed is None else seed)
        chance = (
            {"do_sample": True, "temperature": temperature, "top_p": top_p} if temperature else {"do_sample": False}
        )
        pieces = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        left = Event()
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(self.write, pieces, left, **given, **chance, max_new_tokens=max_tokens)
            try:
                yield from filter(None, pieces)
            finally:
                left.set()
            written = writing.result()
        self.record_metric("input_token_count", length)
        self.record_metric("output_token_count", written - length)

    def encoded(self, prompt: str, system_prompt: str) -> Any:
        """The tokens of a prompt, as a chat where the model knows chats."""
        if not self.tokenizer.chat_template:
            return self.tokenizer(prompt, return_tensors="pt").to(self.model.device)
        messages = [{"role": "user", "content": prompt}]
        if system_prompt:
            messages.insert(0, {"role": "system", "content": system_prompt})
        return self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        ).to(self.model.device)

    def write(self, pieces: TextIteratorStreamer, left: Event, **asked: Any) -> int:
        """Generate until the answer ends, or its reader has `left`; how many tokens there are then, with the prompt."""

        def stop(tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return torch.full((len(tokens),), left.is_set(), device=tokens.device)

        try:
            written = self.model.generate(**asked, streamer=pieces, stopping_criteria=StoppingCriteriaList([stop]))
            return int(written.shape[1])
        finally:
            # Whoever reads the pieces waits for an end, also where an error is it.
            pieces.end()

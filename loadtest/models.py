"""A random Llama of stated size, for benches: what it says is noise, what it costs is real."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

SIZES: Final[dict[str, dict[str, int]]] = {
    # The engine is the limit, as with any real model.
    "tiny": {"hidden_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 688},
    # The front end is the limit.
    "nano": {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 128},
}
_VOCABULARY = 2048
_CONTEXT = 2048
_TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}<|assistant|>"


def make(size: str, folder: Path) -> None:
    """Write a model that vLLM can load; the same one each time."""
    import torch
    import transformers

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    config = transformers.LlamaConfig(
        vocab_size=_VOCABULARY,
        max_position_embeddings=_CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **SIZES[size],
    )
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Any:
    import argparse

    import tokenizers
    import transformers

    trained = tokenizers.ByteLevelBPETokenizer()
    # Any text does, as long as every machine has it.
    trained.train_from_iterator(
        inspect.getsource(argparse).splitlines(), vocab_size=_VOCABULARY, special_tokens=["<s>", "</s>"]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer, bos_token="<s>", eos_token="</s>", chat_template=_TEMPLATE
    )

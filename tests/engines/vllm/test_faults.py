"""Why a boot failed, in one sentence: from the words of vLLM and its libraries. No vLLM here."""

from __future__ import annotations

import pydantic
import pytest

from engines.vllm.faults import first_line, sentence


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Model architectures ['A'] are not supported for now. Supported: dict_keys(['B'])", "architecture ('A')"),
        ("You are trying to access a gated repo.\nMake sure to have access", "me/model is gated: accept its terms"),
        ("401 Client Error. Access to model me/model is restricted. You must be authenticated", "HF_TOKEN"),
        ("me/model is not a local folder and is not a valid model identifier listed on", "has no model me/model"),
        ("We couldn't connect to 'https://huggingface.co' to load the files", "cannot be reached"),
        ("Failed to infer device type, please set the environment variable", "sees none: look at `nvidia-smi`"),
        ("No CUDA GPUs are available", "EXTRA=cpu"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has", "does not fit into the memory"),
        ("Free memory on device cuda:0 (3.10/79.10 GiB) on startup is less than desired", "3.10 of 79.10 GiB are free"),
        (
            "To serve at least one request with the model's max seq len (131072), (16.00 GiB KV cache is needed, which "
            "is larger than the available KV cache memory (4.21 GiB). Try increasing",
            "One answer of 131072 tokens wants 16.00 GiB of KV cache, and there are 4.21",
        ),
        ("[Errno 28] No space left on device: '/root/.cache'", "disk is full"),
        ("Engine core initialization failed. See root cause above. Failed core proc(s): {}", "server's log"),
    ],
)
def test_known_words_become_a_sentence_that_says_what_to_do(words: str, told: str) -> None:
    said = sentence(RuntimeError(words), "me/model")
    assert told in said
    assert said.endswith(".") and "\n" not in said


def test_unknown_words_are_told_by_their_first_line_with_knobs_for_options() -> None:
    assert sentence(ValueError("\nneeds --max-model-len 5\nand more"), "m") == "needs the knob max_model_len 5"
    assert sentence(AssertionError(), "m") == "AssertionError"
    assert len(first_line(ValueError("x" * 5000))) < 600


def test_a_value_that_is_refused_is_told_with_its_field() -> None:
    class Config(pydantic.BaseModel):
        share: float = pydantic.Field(le=1)

    with pytest.raises(pydantic.ValidationError) as refused:
        Config(share=7)
    assert sentence(refused.value, "m") == "share: Input should be less than or equal to 1"

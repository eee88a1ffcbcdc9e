"""Why a boot failed, in one sentence that says what to do. Pure: vLLM's own words in, ours out."""

from __future__ import annotations

import re
from typing import Final

import pydantic

_LONGEST: Final = 500
_OPTION: Final = re.compile(r"--([a-z][a-z-]+)")
_ROOM: Final = "Give it a smaller max_model_len or max_num_seqs, or more memory"

_KNOWN: Final = [
    (re.compile(pattern), told)
    for pattern, told in (
        (
            r"architectures \[(.*?)\] are not supported|has model type (`\S+`) but Transformers",
            "vLLM does not know this model's architecture ({0}). Take another model, or a Hearth with a newer vLLM.",
        ),
        (
            r"gated repo|Access to model \S+ is restricted|403 Client Error",
            "{source} is gated: accept its terms on its page at huggingface.co, and put a token of that account into "
            "HF_TOKEN.",
        ),
        (
            r"401 Client Error|is not a valid model identifier|Repository Not Found",
            "Hugging Face has no model {source} that may be seen from here. Mind the spelling; for a private one put a "
            "token into HF_TOKEN.",
        ),
        (
            r"couldn't connect to|offline mode is enabled|outgoing traffic has been disabled",
            "{source} is not on this machine, and Hugging Face cannot be reached. Mind the network, a proxy, and "
            "HF_HUB_OFFLINE; or name a folder that holds the model.",
        ),
        (
            r"Repo id must be in the form",
            "{source} is no folder that can be read here, and no model's name on Hugging Face either.",
        ),
        (
            r"is not a valid JSON|Invalid repository ID or local directory|No config(?:\.json)? file|"
            r"file named config\.json",
            "{source} has no config.json that can be read. Copy the model again, whole.",
        ),
        (
            r"instantiate the backend tokenizer|Can't load tokenizer",
            "{source} has no tokenizer that can be read (tokenizer.json). Copy the model again, whole; or name another "
            "one with the knob `tokenizer`.",
        ),
        (
            r"Cannot find any model weights",
            "{source} holds no weights (*.safetensors). Copy the model again, whole.",
        ),
        (
            r"deserializing header: (.+)",
            "The weights of {source} are damaged or cut off ({0}). Copy the model again, whole.",
        ),
        (
            r"size of tensor a \(\d+\) must match|shape mismatch|size mismatch",
            "The weights of {source} do not fit its config.json. Copy the model again, whole.",
        ),
        (
            r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\D*(\d+)",
            "max_model_len={0} is more than the {1} tokens that this model was made for. Write less, or leave it out.",
        ),
        (
            r"max seq len \((\d+)\), \(([\d.]+) GiB KV cache is needed.*?memory \(([\d.]+) GiB\)"
            r"(?:.*?estimated maximum model length is (\d+))?",
            "One answer of {0} tokens wants {1} GiB of KV cache, and there are {2}. " + _ROOM + ".",
        ),
        (
            r"\(([\d.]+)/[\d.]+ GiB\) on kv cache allocation is less than requested memory for kv \(([\d.]+)",
            "The KV cache wants {1} GiB, and {0} are free. Write a smaller kv_cache_memory_bytes, or free some memory.",
        ),
        (
            r"No available memory for the cache blocks",
            "No memory is left for the KV cache. "
            + _ROOM
            + ": kv_cache_memory_bytes on a CPU, gpu_memory_utilization on a GPU.",
        ),
        (
            r"\(([\d.]+)/([\d.]+) GiB\) on startup is less than",
            "{0} of {1} GiB are free, less than gpu_memory_utilization asks for. Write less of it, or see what else is "
            "in that memory.",
        ),
        (
            r"CUDA out of memory|HIP out of memory|not enough memory: you tried to allocate",
            "The model does not fit into the memory. " + _ROOM + ", take a quantized one, or spread it over more GPUs "
            "(tensor_parallel_size).",
        ),
        (
            r"Failed to infer device type|No CUDA GPUs are available|no NVIDIA driver|driver version is insufficient",
            "This vLLM wants a GPU, and sees none: look at `nvidia-smi`. For a machine without one there is "
            "`make venv EXTRA=cpu`.",
        ),
        (
            r"No space left on device",
            "The disk is full. Free some of it, or have HF_HOME (models) or TMPDIR name a folder with room.",
        ),
    )
]


def sentence(error: BaseException, source: str) -> str:
    """Why there was no boot, and what to do about it; `source` is the model's folder or name."""
    text = _words(error)
    for pattern, told in _KNOWN:
        if found := pattern.search(text):
            said = [group for group in found.groups() if group is not None]
            return told.format(*said, source=source)
    if "See root cause above" in text:
        return "The engine core did not start; the server's log has the details."
    return first_line(error)


def first_line(error: BaseException) -> str:
    """What it says itself, with knobs for options."""
    line = next((line.strip() for line in _words(error).splitlines() if line.strip()), type(error).__name__)
    line = _OPTION.sub(lambda option: f"the knob {option[1].replace('-', '_')}", line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _words(error: BaseException) -> str:
    if not isinstance(error, pydantic.ValidationError):
        return str(error).strip()
    fault = error.errors()[0]
    where = ".".join(map(str, fault["loc"]))
    told = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told

"""Does Campfire tell a story about what it was asked for? `python -m engines.campfire.check`."""

import logging
import re
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from engines.campfire import words

MODEL = Path(__file__).parent / "model"
LONGEST = 220
SEED = 7


def held_out_topics() -> list[str]:
    """Topics, each with its article, that training never saw."""
    return list(words.held_out_topics())


def names_topic(story: str, topic: str) -> bool:
    """Whether the story names the whole topic, article aside."""
    return re.search(rf"\b{re.escape(words.bare(topic))}\b", story, re.IGNORECASE) is not None


def tell(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, questions: list[str], temperature: float
) -> list[tuple[str, bool]]:
    """The answer to every question, and whether it came to an end by itself."""
    tokenizer.padding_side = "left"
    chats = [[{"role": "user", "content": question}] for question in questions]
    inputs = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    torch.manual_seed(SEED)
    with torch.inference_mode():
        answers = model.generate(**inputs, max_new_tokens=LONGEST, **sampling)[:, inputs["input_ids"].shape[1] :]
    stories = tokenizer.batch_decode(answers, skip_special_tokens=True)
    return [(story, tokenizer.eos_token_id in answer) for story, answer in zip(stories, answers, strict=True)]


def report(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, topics: list[str], temperature: float) -> str:
    """How many stories of the topics name them and end, and the first of those that do not."""
    told = tell(model, tokenizer, [f"Tell me a story about {topic}." for topic in topics], temperature)
    named = [names_topic(story, topic) for topic, (story, _) in zip(topics, told, strict=True)]
    both = [name and ended for name, (_, ended) in zip(named, told, strict=True)]
    failures = [f"  [{topic}] {story}" for topic, good, (story, _) in zip(topics, both, told, strict=True) if not good]
    ended = sum(end for _, end in told)
    counts = f"{sum(named)} name the topic, {ended} end, {sum(both)} do both"
    head = f"temperature {temperature}: of {len(topics)} stories {counts}"
    return "\n".join([head, *failures[:5], f"  e.g. {told[0][0]}"])


def main() -> None:
    """Examine the model on every held-out topic."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = LlamaForCausalLM.from_pretrained(MODEL)
    for temperature in (0.0, 0.8):
        logging.info(report(model, tokenizer, held_out_topics(), temperature))


if __name__ == "__main__":
    main()

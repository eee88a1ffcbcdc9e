"""Text to tokens: the byte-level tokenizer, the chat template, and how a conversation is weighed."""

import re
from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from engines.campfire.chats import Chat, Message
from engines.campfire.grammar.plots import WISHES
from engines.campfire.grammar.world import TREASURES

BEGIN, END, SYSTEM, USER, ASSISTANT = "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
VOCABULARY = 2048
CONTEXT = 2048
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] | trim }}{{ eos_token }}"
    "{% elif message['role'] == 'user' %}<|user|> {{ message['content'] | trim }}"
    "{% else %}<|system|> {{ message['content'] | trim }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ASKED, TOLD, COPIED = 0.1, 1.0, 4.0
# What a story must come back to: the wish that comes true, the treasure that is found.
ECHOES = (*TREASURES, *(wished for _, wished in WISHES))

Weighed = list[tuple[int, float]]


def learned(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE learned from the texts; every byte is in it, so it can encode anything."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [BEGIN, END, SYSTEM, USER, ASSISTANT]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        chat_template=TEMPLATE,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def weighed(tokenizer: Tokenizer, chat: Chat, echo: float = TOLD) -> Weighed:
    """The tokens of a conversation as the template renders it, each with its weight in the loss; echoes weigh echo."""
    tokens: Weighed = [(mark(tokenizer, BEGIN), ASKED)]
    for message in chat:
        tokens += rendered(tokenizer, message, echo)
    return tokens


def rendered(tokenizer: Tokenizer, message: Message, echo: float) -> Weighed:
    """One message: answers count in full, copied words count most, questions hardly at all."""
    end = (mark(tokenizer, END), TOLD)
    match message.role:
        case "assistant":
            return [(mark(tokenizer, ASSISTANT), ASKED), *words(tokenizer, message, TOLD, echo), end]
        case "raw":
            return [*words(tokenizer, message, TOLD, echo), end]
        case role:
            asked = Message(role, f" {message.text}")
            return [(mark(tokenizer, f"<|{role}|>"), ASKED), *words(tokenizer, asked, ASKED, ASKED)]


def mark(tokenizer: Tokenizer, special: str) -> int:
    """The number of a special token."""
    return int(tokenizer.token_to_id(special) or 0)


def words(tokenizer: Tokenizer, message: Message, weight: float, echo: float) -> Weighed:
    """The tokens of the text; those inside a copied phrase weigh more, and so may those inside an echo."""
    encoding = tokenizer.encode(message.text, add_special_tokens=False)
    weights = [weight] * len(message.text)
    for phrases, heavier in ((ECHOES, echo), (message.copied, COPIED)):
        for since, until in places(phrases, message.text):
            weights[since:until] = [heavier] * (until - since)
    return [(token, weights[end - 1]) for token, (_, end) in zip(encoding.ids, encoding.offsets, strict=True)]


def places(phrases: Iterable[str], text: str) -> Iterable[tuple[int, int]]:
    """Where the phrases stand in the text."""
    for phrase in phrases:
        if phrase in text:
            yield from (found.span() for found in re.finditer(rf"\b{re.escape(phrase)}\b", text))

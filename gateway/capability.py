"""What a model can do for a call, as far as that is known before it is asked."""

from __future__ import annotations

from engines.base import Prompt, Traits
from gateway.errors import HearthError
from gateway.measure import measure
from gateway.suggest import nearest, shown


def check(model: str, traits: Traits, prompt: Prompt) -> None:
    """Raise HearthError `invalid_request`, naming the field, where the model does not take such a prompt."""
    if traits.embeds:
        raise HearthError(
            "invalid_request",
            f"{model} makes embeddings, and answers nothing; use /v1/embeddings.",
            parameter="model",
        )
    predictor = traits.schema is not None
    if (prompt.inputs is not None and not predictor) or (prompt.inputs is None and predictor and not traits.chat):
        where = "/replicate/v1/predictions" if predictor else "/v1/chat/completions"
        raise HearthError("invalid_request", f"{model} is not asked like that; use {where}.", parameter="model")
    if prompt.is_chat and not traits.chat:
        raise HearthError("invalid_request", f"{model} answers no chats; use /v1/completions.", parameter="messages")
    if traits.parameters is None or prompt.inputs is not None:
        return
    for name in prompt.parameters:
        if name not in traits.parameters:
            raise HearthError(
                "invalid_request",
                f"{model} takes no parameter {shown(name)}{nearest(name, traits.parameters)}.",
                parameter=name[:100],
            )


def replaces(model: str, traits: Traits, other: Traits, prompt: Prompt) -> bool:
    """Whether this model surely takes what is asked of the other one: also as far as their contexts go."""
    try:
        check(model, traits, prompt)
    except HearthError:
        return False
    here, there = traits.context_length, other.context_length
    if here is None or (there is not None and there <= here):
        return True
    bounds = measure(prompt, None)
    return not bounds.blind and bounds.prompt_most + int(prompt.parameters.get("max_tokens") or 0) <= here

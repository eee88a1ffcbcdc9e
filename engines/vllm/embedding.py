"""From texts to vectors, by vLLM's own request model and tokenizing rules: for models on its pooling runner."""

from __future__ import annotations

import secrets
from typing import Any

from vllm.entrypoints.pooling.embed.protocol import EmbeddingCompletionRequest
from vllm.outputs import PoolingRequestOutput
from vllm.renderers.inputs.preprocess import parse_model_prompt
from vllm.v1.engine.async_llm import AsyncLLM

from engines.base import Embeddings, Prompt
from engines.errors import EngineError
from engines.vllm.rendering import REFUSALS, refusal

# The surface's own business.
_NOT_TAKEN = frozenset({"input", "model", "user", "encoding_format", "embed_dtype", "endianness", "request_id"})


class Embedding:
    """Embeds texts with one model."""

    parameters = frozenset(EmbeddingCompletionRequest.model_fields) - _NOT_TAKEN
    """The names that `Prompt.parameters` may hold."""

    def __init__(self, engine: AsyncLLM) -> None:
        self._engine = engine

    async def embed(self, id: str, prompt: Prompt, requests: list[str]) -> Embeddings:
        """A vector for each text. `requests` grows by the engine's name for each, so that they can be aborted.

        Raises EngineError `invalid_request`, `context_length_exceeded`; EngineDeadError.
        """
        try:
            outputs = await self._outputs(id, prompt, requests)
        except REFUSALS as error:
            raise refusal(error, too_long="input") from error
        return Embeddings(
            tuple(output.outputs.data.float().numpy().astype("<f4").tobytes() for output in outputs),
            sum(len(output.prompt_token_ids) for output in outputs),
        )

    async def _outputs(self, id: str, prompt: Prompt, requests: list[str]) -> list[PoolingRequestOutput]:
        if prompt.is_chat:
            raise EngineError("invalid_request", "Texts are embedded, and no chats.", parameter="messages")
        config = self._engine.model_config
        request = self._read(prompt)
        texts = [parse_model_prompt(config, text if isinstance(text, str) else list(text)) for text in prompt.texts]
        inputs = await self._engine.renderer.render_cmpl_async(texts, request.build_tok_params(config))
        waiting: list[Any] = []
        for engine_input in inputs:
            # Noted before it is added: an abort may come while the engine is still taking it.
            requests.append(f"{id}-{secrets.token_hex(4)}")
            waiting.append(
                await self._engine.add_request(
                    requests[-1], engine_input, request.to_pooling_params(), priority=request.priority
                )
            )
        return [await output.get() for output in waiting]

    def _read(self, prompt: Prompt) -> EmbeddingCompletionRequest:
        for name in prompt.parameters:
            if name not in self.parameters:
                raise EngineError(
                    "invalid_request", f"No parameter {name[:100]!r} is taken here.", parameter=name[:100]
                )
        # The texts themselves go past it: it would look at every token of them.
        return EmbeddingCompletionRequest.model_validate({**prompt.parameters, "input": ""})

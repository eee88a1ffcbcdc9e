"""What is set for one model and for one engine elsewhere, as tables of hearth.toml: `[model.NAME]`, `[engine.NAME]`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from engines.openai.upstream import Upstream
from gateway.keys import Sharing


class ModelTable(BaseModel):
    """Each field is a line under `[model.NAME]`. None means: as the server has it, or no limit, or no price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache: Sharing | None = Field(None, description="Which answers may be given again: off, deterministic or all.")
    cache_ttl_s: float | None = Field(None, gt=0, description="Seconds an answer may be given again.")
    semantic_model: str | None = Field(None, description="The served model whose embeddings find like questions.")
    semantic_threshold: float = Field(0.95, gt=0, le=1, description="Cosine similarity from which questions are alike.")
    semantic_careful: bool = Field(
        True, description="Of like questions take only those whose words say the same; false: all within the threshold."
    )
    hardware: str | None = Field(None, description="A line of `[hardware]`: what its seconds cost.")
    price_per_second: float | None = Field(None, ge=0, description="For a second of compute, instead of `hardware`.")
    price_per_million_input: float = Field(0.0, ge=0, description="For a million tokens taken in.")
    price_per_million_cached_input: float | None = Field(
        None, ge=0, description="For a million of those that the engine had in its prefix cache; none: as the others."
    )
    price_per_million_output: float = Field(0.0, ge=0, description="For a million tokens given out.")
    requests_per_minute: int | None = Field(None, gt=0, description="Requests of all keys.")
    tokens_per_minute: int | None = Field(None, gt=0, description="Tokens of all keys, in and out.")
    concurrent: int | None = Field(None, gt=0, description="Generations at once; more of them wait their turn.")
    max_queued: int = Field(256, ge=0, description="Generations that may wait; more are refused with 503.")


def _words(written: Any) -> Any:
    """A command as a list of words, or as one line in which quotes mean what they mean to a shell."""
    return tuple(shlex.split(written)) if isinstance(written, str) else written


Command = Annotated[tuple[str, ...], BeforeValidator(_words)]


class EngineTable(BaseModel):
    """Each field is a line under `[engine.NAME]`: an OpenAI-compatible server, which models name as their source."""

    # What is wrong is told without what was written: it may hold a key.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(description="Its base URL, which ends with /v1 as a rule.")
    model: str | None = Field(None, description="Its own name of the model; none where it serves a single one.")
    key: SecretStr | None = Field(
        None, description="The key that it wants; `$NAME` stands for what the environment has as NAME."
    )
    start: Command = Field(
        (), description="A command that starts it, run without a shell, or `POST URL`; none where it runs by itself."
    )
    stop: Command = Field(
        (), description="Likewise, to stop it; without one only a program that `start` left running is."
    )
    connect_s: float = Field(5.0, gt=0, description="Seconds a connection may take.")
    health_s: float = Field(10.0, gt=0, description="Seconds between two looks at whether it is well.")
    command_s: float = Field(60.0, gt=0, description="Seconds that `stop`, or a `POST`, may take.")

    @property
    def upstream(self) -> Upstream:
        """The same, as the engines know it."""
        key = self.key.get_secret_value() if self.key is not None else None
        others = self.model_dump(exclude={"key"})
        return Upstream(key=key, **others)

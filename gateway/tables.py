"""What is set for one model, as a table of hearth.toml: `[model.NAME]`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict, Field

from gateway.keys import Sharing
from gateway.suggest import nearest


class ModelTable(BaseModel):
    """Each field is a line under `[model.NAME]`. None means: as the server has it, or no limit, or no price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache: Sharing | None = Field(None, description="Which answers may be given again: off, deterministic or all.")
    cache_ttl_s: float | None = Field(None, gt=0, description="Seconds an answer may be given again.")
    fallback: str | None = Field(None, description="The served model that answers while this one is not warm.")
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


def check_fallbacks(tables: Mapping[str, ModelTable], served: Collection[str]) -> None:
    """Raise ValueError where a served model's fallback is not served, or leads back to where it began."""
    fallbacks = {name: table.fallback for name, table in tables.items() if name in served and table.fallback}
    for name, fallback in fallbacks.items():
        if fallback not in served:
            raise ValueError(
                f"[model.{name}] names the fallback {fallback!r}, which is not served{nearest(fallback, served)}."
            )
        path = [name]
        while (after := fallbacks.get(path[-1])) is not None:
            if after in path:
                way = " -> ".join([*path, after])
                raise ValueError(f"[model.{name}] has fallbacks that go in a circle: {way}. Leave one of them out.")
            path.append(after)

"""What is set for one model and for one engine elsewhere, as tables of hearth.toml: `[model.NAME]`, `[engine.NAME]`."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from engines.habits import Bounds
from engines.hours import ActiveHours, zone_named
from engines.windows import Window, dates
from gateway.keys import Sharing
from gateway.suggest import nearest

OWNER_AND_NAME: Final = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]+/(?!\.{1,2}\Z)[A-Za-z0-9_.-]+", re.ASCII)
"""What Replicate's clients call a model: letters that they put into addresses as they are.

Neither is `.` or `..`, which an address would not keep.
"""

_ELSEWHERE: Final = ("openai:", "replicate:")
"""How sources begin whose engines are no processes of this server."""


class ModelTable(BaseModel):
    """Each field is a line under `[model.NAME]`. None means: as the server has it, or no limit, or no price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache: Sharing | None = Field(None, description="Which answers may be given again: off, deterministic or all.")
    cache_ttl_s: float | None = Field(None, gt=0, description="Seconds an answer may be given again.")
    fallback: str | None = Field(None, description="The served model that answers while this one is not warm.")
    replicate: str | None = Field(
        None, description="Its owner/name to Replicate's clients; models of one name are versions, the last the newest."
    )
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
    active_hours: tuple[str, ...] | Literal["auto"] = Field(
        (), description='When it is kept warm, as ["Mon-Fri 08:00-20:00"]; auto: when people have come in past weeks.'
    )
    time_zone: str = Field("UTC", description="By whose clock, as Europe/Berlin.")
    left_out: tuple[str, ...] = Field(
        (), description="Dates without active hours, as 2026-12-25 or 2026-12-24..2027-01-02."
    )
    heartbeat_s: float = Field(30.0, ge=1, description="Seconds without traffic after which a heartbeat is sent.")
    idle_seconds: float | None = Field(
        None, ge=0, description="Seconds unasked after which it goes cold outside its hours; none: 300 if it has hours."
    )
    auto_floor_hours: float = Field(0.0, ge=0, le=24, description="Hours a day that `auto` keeps warm at least.")
    auto_ceiling_hours: float = Field(24.0, ge=0, le=24, description="Hours a day that `auto` keeps warm at most.")
    auto_budget_per_day: float | None = Field(
        None, ge=0, description="What a day of `auto` may cost, by the price of a second; none: anything."
    )
    device: str | None = Field(
        None, description="What it runs on, where not all have room at once, as gpu0; it boots when asked."
    )
    device_share: float = Field(1.0, gt=0, le=1, description="How much of that it takes.")
    affinity: bool = Field(
        True, description="Of several engines, ask the one that has a conversation's earlier turns in its cache."
    )
    requests_per_minute: int | None = Field(None, gt=0, description="Requests of all keys.")
    tokens_per_minute: int | None = Field(None, gt=0, description="Tokens of all keys, in and out.")
    concurrent: int | None = Field(None, gt=0, description="Generations at once; more of them wait their turn.")
    max_queued: int = Field(256, ge=0, description="Generations that may wait; more are refused with 503.")

    @field_validator("active_hours", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if isinstance(value, str):
            return value if value == "auto" else (value,)
        if not (isinstance(value, list | tuple) and all(isinstance(window, str) for window in value)):
            raise ValueError('These are no windows; they read ["Mon-Fri 08:00-20:00"], or "auto".')
        return value

    @field_validator("active_hours")
    @classmethod
    def _are_windows(cls, value: tuple[str, ...] | Literal["auto"]) -> tuple[str, ...] | Literal["auto"]:
        for written in () if value == "auto" else value:
            Window.parse(written)
        return value

    @field_validator("replicate")
    @classmethod
    def _is_owner_and_name(cls, value: str | None) -> str | None:
        if value is not None and not OWNER_AND_NAME.fullmatch(value):
            raise ValueError("These are no owner and name; they read acme/llama-3, in letters, digits and ._- alone.")
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        zone_named(value)
        return value

    @field_validator("left_out")
    @classmethod
    def _are_dates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for written in value:
            dates(written)
        return value

    @field_validator("auto_ceiling_hours")
    @classmethod
    def _is_above_the_floor(cls, value: float, info: ValidationInfo) -> float:
        Bounds(floor_hours=info.data.get("auto_floor_hours", 0.0), ceiling_hours=value)
        return value

    def hours(self) -> ActiveHours | None:
        """The hours as they are written; None where none are, or where they are learned."""
        windows = () if self.active_hours == "auto" else self.active_hours
        written = ActiveHours.parse(windows, self.time_zone, self.left_out)
        return written if windows else None

    def second(self, prices: Mapping[str, float]) -> float | None:
        """What a second of compute costs, by the `prices` of hardware; None where that is not said."""
        if self.price_per_second is not None or self.hardware is None:
            return self.price_per_second
        return prices.get(self.hardware)

    def bounds(self, prices: Mapping[str, float]) -> Bounds:
        """What `auto` keeps to. Raises ValueError where its budget cannot be kept, or bounds nothing."""
        second, budget = self.second(prices), self.auto_budget_per_day
        if budget is not None and second is None:
            raise ValueError("An auto_budget_per_day needs a price: set price_per_second, or hardware.")
        return Bounds(
            floor_hours=self.auto_floor_hours,
            ceiling_hours=self.auto_ceiling_hours,
            budget_per_day=math.inf if budget is None else budget,
            cost_per_hour=3600 * (second or 0.0),
        )


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


def check_budgets(tables: Mapping[str, ModelTable], prices: Mapping[str, float]) -> None:
    """Raise ValueError where learned hours could not keep to what they may cost, by the `prices` of hardware."""
    for name, table in tables.items():
        if table.active_hours == "auto":
            try:
                table.bounds(prices)
            except ValueError as error:
                raise ValueError(f"[model.{name}] {error}") from None


def check_devices(tables: Mapping[str, ModelTable], models: Collection[str], workers: int, *, replicated: bool) -> None:
    """Raise ValueError where a model's device would be shared out by several processes, of which none knows enough.

    `models` are as they are written; with `replicated` other servers may share their engines elsewhere.
    """
    elsewhere = {name for name, _, rest in (each.partition("=") for each in models) if rest.startswith(_ELSEWHERE)}
    for name, table in tables.items():
        if table.device is None:
            continue
        if workers > 1:
            raise ValueError(f"[model.{name}] names a device, which {workers} workers cannot share out: use one.")
        if replicated and name in elsewhere:
            raise ValueError(
                f"[model.{name}] names a device and has engines elsewhere, which the servers of one redis_url cannot"
                " share out: leave the device out, or the redis_url."
            )

"""Who asks: a key, what it may do, and on whose behalf."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec

Sharing = Literal["off", "deterministic", "all"]
"""Which answers may be given again: none, those that would come out the same, or any."""

Period = Literal["day", "week", "month", "total"]

_NO_PATTERNS: Final = str.maketrans({"?": "[?]", "[": "[[]"})
"""What else fnmatch takes for patterns, as patterns of themselves alone."""

_DIGITS: Final = re.compile(r":[0-9a-f]{12}\Z", re.ASCII)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be spent in each period (UTC; a week begins on Monday), in the currency of the prices."""

    amount: float
    period: Period = "month"


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key as it is stored: all but its secret, which nobody can read back. Times are unix seconds.

    What is generated belongs to the `namespace`: keys that share one see each other's generations and cached answers.
    """

    id: str
    name: str
    namespace: str
    hint: str = ""
    """The last letters of its secret, by which people tell it from others."""
    created: float = 0.0
    expires: float | None = None
    revoked: float | None = None
    admin: bool = False
    """Whether it may use /admin."""
    models: tuple[str, ...] | None = None
    """Names it may ask, `*` for any letters in them; None for all."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    """Generations of it that may run at once."""
    budget: Budget | None = None
    cache: Sharing | None = None
    """Its own policy; None for the model's."""

    def may_ask(self, model: str) -> bool:
        """Whether this model is one of its own; whoever may ask it may ask its pushed versions."""
        if self.models is None:
            return True
        patterns = [each.translate(_NO_PATTERNS) for each in self.models]
        return any(fnmatchcase(name, each) for name in {model, family(model)} for each in patterns)

    def stands(self, now: float) -> bool:
        """Whether it is good at that time."""
        return self.revoked is None and (self.expires is None or now < self.expires)


def family(model: str) -> str:
    """What a model's versions that were pushed while the server ran have in common: its name without their digits."""
    return _DIGITS.sub("", model)


LOCAL: Final = Key(id="local", name="local", namespace="local", admin=True)
"""Everybody, while no key is configured."""

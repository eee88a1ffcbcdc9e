"""A webhook's address as it may be shown: what follows its path, and who it names before its host, can be secret."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(r"([^:/?#]*)://(?:[^/?#]*@)?([^/?#]*)([^?#]*)")


def host(url: str) -> str:
    """Its host, and its port if that is written."""
    match = _PARTS.match(url)
    return match[2].lower() if match else ""


def shown(url: str) -> str:
    """Scheme, host and path."""
    match = _PARTS.match(url)
    return f"{match[1]}://{match[2]}{match[3]}" if match else ""

"""Who asks. There are no keys yet: everybody on this machine is one owner."""

from __future__ import annotations

from typing import Final

LOCAL: Final = "local"
"""The owner of every call while no keys are configured."""
